import Foundation

/// The labels of a batch.
public final class Labels {
  /// The class of each sample of the batch, `capacity` long.
  package internal(set) var buffer: AlignedBuffer<Int32>
  /// Samples in the batch now.
  public var count = 0

  /// Room for `capacity` labels.
  public init(capacity: Int) {
    buffer = AlignedBuffer(count: capacity)
  }

  /// The class of a sample of the batch.
  public subscript(sample: Int) -> Int {
    get { Int(buffer[sample]) }
    set { buffer[sample] = Int32(clamping: newValue) }
  }
}

/// The predictions for a batch, and the memory in which a loss works.
public final class BatchPredictions {
  /// The class with the largest logit, ties to the lower.
  public var predictions: AlignedBuffer<Int32>
  /// How many classes come before the label's by their logit: 0 is a top-1 hit, below 5 a top-5
  /// hit.
  public var ranks: AlignedBuffer<Int32>
  /// Summed losses of each group, joined in order.
  var groupLosses: AlignedBuffer<Double>
  var sampleLogits: AlignedBuffer<Float>
  var sampleGradient: AlignedBuffer<Float>

  /// Memory for batches of `capacity` samples of `classes` logits, in groups of `lanes`.
  package init(capacity: Int, classes: Int, lanes: Int) {
    predictions = AlignedBuffer(count: capacity)
    ranks = AlignedBuffer(count: capacity)
    groupLosses = AlignedBuffer(count: capacity.dividedUp(by: lanes))
    sampleLogits = AlignedBuffer(count: classes)
    sampleGradient = AlignedBuffer(count: classes)
  }
}

/// A loss: what training minimises, as a mean over the samples of a batch.
///
/// An own loss is one method, the loss of a single sample.
public protocol Loss: Sendable {
  /// The loss of a sample from its logits and label; writes its derivative by each logit.
  func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double

  /// The mean loss of a batch, and its gradient by the logits if asked for; dead lanes are zero.
  ///
  /// Implemented for every loss; a loss that has a quicker way may bring its own.
  func evaluate(
    _ logits: Tensor, labels: Labels, gradient: Tensor?, outcome: BatchPredictions, pass: Pass
  ) throws(RigLError) -> Double
}

extension Loss {
  /// The mean of the samples' losses, one sample after the other.
  public func evaluate(
    _ logits: Tensor, labels: Labels, gradient: Tensor?, outcome: BatchPredictions, pass: Pass
  ) throws(RigLError) -> Double {
    let (classes, samples) = (logits.shape.count, logits.samples)
    if let gradient {
      gradient.samples = samples
      gradient.zero()
    }
    var sum = 0.0
    for sample in 0..<samples {
      let label = labels[sample]
      guard label >= 0, label < classes else { throw labelError(label, classes) }
      for index in 0..<classes { outcome.sampleLogits[index] = logits[sample, index] }
      outcome.rank(sample, label: label)
      sum += outcome.sampleLogits.withSpan { values in
        outcome.sampleGradient.withMutableSpan { loss(of: values, label: label, gradient: &$0) }
      }
      guard let gradient else { continue }
      for index in 0..<classes {
        gradient[sample, index] = outcome.sampleGradient[index] / Float(samples)
      }
    }
    return samples == 0 ? 0 : sum / Double(samples)
  }

  func labelError(_ label: Int, _ classes: Int) -> RigLError {
    RigLError(
      .data, "label \(label): the network has \(classes) outputs",
      hint: "Labels count from 0; the last layer needs an output for each class.")
  }
}

extension BatchPredictions {
  /// Sets a sample's prediction and rank from `sampleLogits`.
  fileprivate func rank(_ sample: Int, label: Int) {
    let own = sampleLogits[label]
    var (best, before) = (0, 0)
    for index in 0..<sampleLogits.count {
      let logit = sampleLogits[index]
      if logit > sampleLogits[best] { best = index }
      if logit > own || (logit == own && index < label) { before += 1 }
    }
    predictions[sample] = Int32(best)
    ranks[sample] = Int32(before)
  }
}

/// Softmax and cross-entropy with label smoothing a over C classes:
/// −Σ_c t_c log softmax(logits)_c with t = (1 − a) one-hot(label) + a / C.
public struct CrossEntropy: Loss {
  /// The share (a) of the target that is spread over all classes, in [0, 1].
  package var labelSmoothing: Float

  /// Creates the loss.
  public init(labelSmoothing: Float = 0) {
    self.labelSmoothing = labelSmoothing
  }

  /// The loss of one sample.
  public func loss(
    of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>
  ) -> Double {
    var maximum = -Float.infinity
    for index in logits.indices { maximum = max(maximum, logits[index]) }
    var sum = 0.0
    for index in logits.indices { sum += exp(Double(logits[index] - maximum)) }
    var loss = 0.0
    for index in logits.indices {
      let logProbability = Double(logits[index] - maximum) - log(sum)
      let target =
        Double(labelSmoothing) / Double(logits.count)
        + (index == label ? 1 - Double(labelSmoothing) : 0)
      loss -= target * logProbability
      gradient[index] = Float(exp(logProbability) - target)
    }
    return loss
  }

  /// The mean over the batch, group by group in the kernels.
  public func evaluate(
    _ logits: Tensor, labels: Labels, gradient: Tensor?, outcome: BatchPredictions, pass: Pass
  ) throws(RigLError) -> Double {
    let samples = logits.samples
    guard samples > 0 else { return 0 }
    gradient?.samples = samples
    let groups = logits.groups
    let operands = (logits, labels, labelSmoothing, gradient, outcome)
    pass.pool.run(chunks: groups, with: operands) { operands, group, _ in
      let (logits, labels, smoothing, gradient, outcome) = operands
      let loss = logits.softmaxCrossEntropy(
        group: group, labels: labels, smoothing: smoothing,
        gradientScale: 1 / Float(logits.samples), gradient: gradient, outcome: outcome)
      unsafe outcome.groupLosses.base[group] = loss ?? -1
    }
    var sum = 0.0
    for group in 0..<groups {
      let loss = outcome.groupLosses[group]
      if loss < 0 {
        let classes = logits.shape.count
        for sample in 0..<samples where labels[sample] < 0 || labels[sample] >= classes {
          throw labelError(labels[sample], classes)
        }
      }
      sum += loss
    }
    return sum / Double(samples)
  }
}
