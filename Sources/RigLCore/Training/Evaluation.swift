/// How a network does on a set of samples, every one of them.
public struct Evaluation: Hashable, Sendable, Codable {
  /// Samples.
  public let samples: Int
  /// The mean loss.
  public let loss: Double
  /// The share of samples whose largest logit is their label's (top-1).
  public let accuracy: Double
  /// The share whose label is among the five largest logits; nil for five classes or fewer.
  public let top5: Double?
  /// How often label (row) was taken for prediction (column).
  public let confusion: [[Int]]

  enum CodingKeys: String, CodingKey {
    case samples, loss, accuracy, confusion
    case top5 = "top5_accuracy"
  }
}

/// Runs a model over whole datasets.
public final class Evaluator {
  private let model: Model
  private let loss: any Loss
  private let pass: Pass
  private let packer: BatchPacker
  private let batch: Batch
  private let outcome: BatchPredictions
  /// The model's class of each of the dataset's; nil: they are the same.
  private let classes: [Int]?
  /// The samples that the last evaluation could not read, in order.
  package private(set) var damaged: [DamagedSample] = []
  /// The word for a sample in an error.
  var sampleName = "sample"

  /// An evaluator of a model on a dataset; it uses the model's memory between training steps.
  ///
  /// - Parameters:
  ///   - model: what is evaluated.
  ///   - loss: by which loss.
  ///   - dataset: on which samples.
  ///   - pool: threads that share the work.
  ///   - classes: the model's class of each of the dataset's; nil: they are the same.
  /// - Throws: `RigLError(.data)` for samples of another shape than the model takes, or more classes
  ///   than it has outputs.
  public init(
    model: Model, loss: any Loss, dataset: any Dataset, pool: ThreadPool, classes: [Int]? = nil
  ) throws(RigLError) {
    try model.requireFitting(dataset)
    trap(
      unless: classes?.count ?? dataset.classes == dataset.classes
        && classes?.allSatisfy((0..<model.outputs).contains) ?? true,
      "Evaluator: \(dataset.classes) classes of the dataset are \(classes ?? []) of the model")
    self.classes = classes
    self.model = model
    self.loss = loss
    pass = Pass(pool: pool, seed: 0)
    packer = try BatchPacker(dataset, capacity: model.capacity, layout: model.inputLayout)
    batch = Batch(for: model)
    outcome = BatchPredictions(capacity: model.capacity, classes: model.outputs, lanes: model.lanes)
  }

  /// The loss and accuracy over all samples, the last partial batch included.
  ///
  /// Samples that cannot be read are left out and counted.
  ///
  /// - Throws: `RigLError(.numerical)` if the loss is not finite, `.data` if there are no samples, if
  ///   one has a value that is not finite, or if more than one in a hundred cannot be read, `.memory`
  ///   where there is not enough to read one.
  public func evaluate() throws(RigLError) -> Evaluation {
    let dataset = packer.dataset
    guard dataset.count > 0 else { throw RigLError(.data, "there are no samples to evaluate on") }
    try requireMemory(
      8 * Double(model.outputs) * Double(model.outputs), for: "a table of classes by classes")
    var confusion = [[Int]](
      repeating: [Int](repeating: 0, count: model.outputs), count: model.outputs)
    var (sum, top1, top5, samples) = (0.0, 0, 0, 0)
    damaged = []
    for range in SequentialBatches(count: dataset.count, size: model.capacity) {
      try packer.take(range)
      try batch.fill(from: packer, pool: pass.pool)
      if !packer.damaged.isEmpty {
        damaged += packer.damaged
        if packer.samples == 0 { continue }
      }
      if let classes {
        for sample in 0..<packer.samples { batch.labels[sample] = classes[batch.labels[sample]] }
      }
      let logits = try model.forward(batch.inputs, pass)
      let mean = try loss.evaluate(
        logits, labels: batch.labels, gradient: nil, outcome: outcome, pass: pass)
      samples += packer.samples
      sum += mean * Double(packer.samples)
      top1 += outcome.hits(of: packer.samples, within: 1)
      top5 += outcome.hits(of: packer.samples, within: 5)
      for sample in 0..<packer.samples {
        let prediction = Int(outcome.predictions[sample])
        trap(
          unless: confusion.indices.contains(prediction),
          "BatchPredictions: a loss predicted class \(prediction) of \(model.outputs)")
        confusion[batch.labels[sample]][prediction] += 1
      }
    }
    guard sum.isFinite else {
      if let broken = dataset.firstBrokenValue(called: sampleName) { throw broken }
      throw RigLError(
        .numerical, "the loss of an evaluation is \(sum)",
        hint: "Training has diverged: lower the learning rate, or clip the gradient (clip_norm).")
    }
    try DamageLimit.check(damaged.count, of: dataset.count, first: damaged.first?.error)
    let count = Double(max(samples, 1))
    return Evaluation(
      samples: samples, loss: sum / count, accuracy: Double(top1) / count,
      top5: model.outputs > 5 ? Double(top5) / count : nil, confusion: confusion)
  }
}

extension Trainer {
  /// How the weights as they are do on some samples, their pixels normalised as the training
  /// samples are.
  ///
  /// - Throws: `RigLError(.numerical)` if the loss is not finite.
  public func evaluate(_ dataset: any Dataset) throws(RigLError) -> Evaluation {
    try evaluate(dataset, called: "sample")
  }

  /// The same; `name` is what a sample is called in an error.
  func evaluate(_ dataset: any Dataset, called name: String) throws(RigLError) -> Evaluation {
    let evaluator = try Evaluator(
      model: model, loss: step.loss, dataset: dataset.normalized(like: data.normalization),
      pool: pool)
    evaluator.sampleName = name
    do throws(RigLError) {
      let evaluation = try evaluator.evaluate()
      try tell(of: evaluator.damaged)
      return evaluation
    } catch {
      // Says the layer, if it is a layer's fault.
      if error.kind == .numerical { try requireFinite() }
      let isDamage = DamageLimit.isExceeded(evaluator.damaged.count, of: dataset.count)
      let hint = isDamage ? damageHint(error.hint) : error.hint
      throw RigLError(error.kind, "step \(step.weightSteps): \(error.what)", hint: hint)
    }
  }

  /// What to do where too many samples are damaged, and what is left of the run.
  func damageHint(_ hint: String?) -> String? {
    let hint = hint ?? "Repair or remove them."
    guard let folder else { return hint }
    guard (try? folder.hasCheckpoint) == true else {
      return "\(hint)\nThen rigl train --resume \(folder.path) begins the run again."
    }
    return
      "\(hint)\nThe weights are kept: rigl evaluate \(folder.path) then tests them, and rigl train "
      + "--start-from \(folder.path) trains on from them; --resume takes none but the samples that "
      + "the run was begun with."
  }
}

/// How many damaged samples a result may do without: one in a hundred.
enum DamageLimit {
  /// - Throws: `RigLError(.data)` if more than one in a hundred of `samples` were damaged.
  static func check(_ damaged: Int, of samples: Int, first: RigLError?) throws(RigLError) {
    guard isExceeded(damaged, of: samples) else { return }
    throw RigLError(
      .data,
      "\(damaged) of \(samples) samples were damaged or could not be read, and were left out: more "
        + "than the one in a hundred that a result may do without"
        + (first.map { "; the first: \($0.what)" } ?? ""),
      hint: first?.hint ?? "Repair or remove them.")
  }

  /// Whether more than one in a hundred of `samples` were damaged.
  static func isExceeded(_ damaged: Int, of samples: Int) -> Bool { damaged * 100 > samples }
}

extension Model {
  /// The order in which the first layer takes a sample's values.
  var inputLayout: Tensor.Layout { layers.takesPlanes ? .planes : .vectors }
}
