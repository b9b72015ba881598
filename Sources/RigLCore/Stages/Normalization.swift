/// A ``BatchNorm`` as it runs: parameters, averages, and what the stages around it apply.
package final class Normalization {
  /// The layer.
  package let layer: BatchNorm
  /// γ, one for each channel.
  package let gamma: Parameter
  /// β.
  package let beta: Parameter
  /// The mean that is used outside training.
  package let runningMean: RunningAverage
  /// The variance that is used outside training; unbiased.
  package let runningVariance: RunningAverage
  /// The shape of the input.
  let input: SampleShape

  /// Whether batch-norm is in the weights of the convolution before it: nothing is left to apply.
  private(set) var isFolded = false
  /// The factor of each channel, γ / σ, that readers apply: scale · x + shift.
  private(set) var scale: AlignedBuffer<Float>
  private(set) var shift: AlignedBuffer<Float>
  /// The batch's mean.
  private(set) var mean: AlignedBuffer<Float>
  /// √(variance + ε), inverted.
  private var inverse: AlignedBuffer<Double>
  /// The gradient's coefficients: dx = a dy + b x + c.
  private(set) var a: AlignedBuffer<Float>
  private(set) var b: AlignedBuffer<Float>
  private(set) var c: AlignedBuffer<Float>
  /// Sums of parts of a batch; see ``ChannelSums``.
  let statistics: ChannelSums
  let gradientSums: ChannelSums
  private let channels: Int
  /// Values of a channel in the last batch.
  private var count = 0

  init(_ layer: BatchNorm, input: SampleShape) {
    self.layer = layer
    self.input = input
    channels = layer.channels
    gamma = Parameter(
      name: "\(layer.name).weight", shape: [channels], count: channels, decays: false)
    gamma.values.fill(layer.gamma)
    beta = Parameter(
      name: "\(layer.name).bias", shape: [channels], count: channels, decays: false)
    runningMean = RunningAverage(
      name: "\(layer.name).running_mean", count: channels, initial: 0)
    runningVariance = RunningAverage(
      name: "\(layer.name).running_var", count: channels, initial: 1)
    scale = AlignedBuffer(count: channels)
    shift = AlignedBuffer(count: channels)
    mean = AlignedBuffer(count: channels)
    inverse = AlignedBuffer(count: channels)
    a = AlignedBuffer(count: channels)
    b = AlignedBuffer(count: channels)
    c = AlignedBuffer(count: channels)
    statistics = ChannelSums(channels: channels)
    gradientSums = ChannelSums(channels: channels)
  }

  /// The name in files.
  var name: String { layer.name }
  /// γ, then β.
  var parameters: [Parameter] { [gamma, beta] }
  /// The running mean, then the running variance.
  var averages: [RunningAverage] { [runningMean, runningVariance] }
}

extension Normalization {
  /// Scale and shift for a pass, once the statistics of the batch are summed in `parts` parts of
  /// `values` values a channel altogether. Outside training from the running averages.
  ///
  /// - Throws: `configuration` if a training batch has a single value a channel: it has no variance.
  func finishForward(parts: Int, values: Int, _ pass: Pass) throws(RigLError) {
    try pass.pool.timed(.normalization) { () throws(RigLError) in
      guard pass.isTraining else {
        if !isFolded { takeAverages() }
        return
      }
      guard values > 1 else {
        throw RigLError(
          .configuration, "layer \(name): batch-norm over a single value a channel",
          hint: "Use a batch size that leaves no batch of one sample.")
      }
      count = values
      for channel in 0..<channels {
        let (mean, squares) = statistics.merge(channel, parts: parts)
        let variance = squares / Double(values)
        inverse[channel] = 1 / (variance + layer.epsilon).squareRoot()
        setScale(channel, mean: mean)
        guard !pass.isRepeated else { continue }
        let unbiased = squares / Double(values - 1)
        let share = pass.averageShare ?? layer.momentum
        runningMean.values[channel].approach(mean, keeping: share)
        runningVariance.values[channel].approach(unbiased, keeping: share)
      }
    }
  }

  /// Scale and shift by the running averages.
  func takeAverages() {
    for channel in 0..<channels {
      inverse[channel] = 1 / (Double(runningVariance.values[channel]) + layer.epsilon).squareRoot()
      setScale(channel, mean: Double(runningMean.values[channel]))
    }
  }

  /// Leaves the work to the convolution before, for good: returns what that is to apply.
  func fold() -> (scale: [Float], shift: [Float]) {
    takeAverages()
    isFolded = true
    return ((0..<channels).map { scale[$0] }, (0..<channels).map { shift[$0] })
  }

  private func setScale(_ channel: Int, mean: Double) {
    let scale = Double(gamma.values[channel]) * inverse[channel]
    self.mean[channel] = Float(mean)
    self.scale[channel] = Float(scale)
    shift[channel] = Float(Double(beta.values[channel]) - mean * scale)
  }

  /// The gradients of γ and β, and the coefficients of the input's, once readers have summed the
  /// gradient dy and dy (x − mean) in `parts` parts.
  func finishBackward(parts: Int, _ pass: Pass) {
    pass.pool.timed(.normalization) {
      for channel in 0..<channels {
        let (sum, product) = gradientSums.add(channel, parts: parts)
        let dGamma = product * inverse[channel]
        if pass.accumulatesGradients {
          gamma.gradient[channel] += Float(dGamma)
          beta.gradient[channel] += Float(sum)
        } else {
          gamma.gradient[channel] = Float(dGamma)
          beta.gradient[channel] = Float(sum)
        }
        // dx = γ inv (dy − (Σ dy + (x − mean) inv dγ) / n)
        let scale = Double(gamma.values[channel]) * inverse[channel]
        let slope = scale * dGamma * inverse[channel] / Double(count)
        a[channel] = Float(scale)
        b[channel] = Float(-slope)
        c[channel] = Float(slope * Double(mean[channel]) - scale * sum / Double(count))
      }
    }
  }
}

extension Float {
  /// A running average's next value.
  fileprivate mutating func approach(_ value: Double, keeping momentum: Double) {
    self = Float(momentum * Double(self) + (1 - momentum) * value)
  }
}

/// Two sums for each channel of each part of a batch: parts are fixed by shapes, summed by any
/// thread, and merged in order.
final class ChannelSums {
  let channels: Int
  /// A value near each part's own, so that a variance is not the difference of large numbers.
  let pivots: AlignedBuffer<Float>
  /// (part, channel, 2).
  let sums: AlignedBuffer<Double>
  /// Values a channel in each part.
  private let counts: AlignedBuffer<Int>

  init(channels: Int) {
    self.channels = channels
    pivots = AlignedBuffer(count: GradientParts.count * channels)
    sums = AlignedBuffer(count: GradientParts.count * channels * 2)
    counts = AlignedBuffer(count: GradientParts.count)
  }

  /// Starts a part of `values` values a channel.
  func begin(part: Int, values: Int) {
    // By address: parts begin on several threads, and a buffer's subscript would modify all of it.
    unsafe counts.base[part] = values
    for index in part * channels * 2..<(part + 1) * channels * 2 { unsafe sums.base[index] = 0 }
  }

  /// A part's pivots and sums.
  func bases(part: Int) -> (pivots: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Double>)
  {
    unsafe (pivots.base + part * channels, sums.base + part * channels * 2)
  }

  /// The mean and the sum of squared distances from it, of all parts. Chan, Golub and LeVeque, 1983.
  func merge(_ channel: Int, parts: Int) -> (mean: Double, squares: Double) {
    var (count, mean, squares) = (0.0, 0.0, 0.0)
    for part in 0..<parts {
      let index = part * channels + channel
      let added = Double(counts[part])
      guard added > 0 else { continue }
      let (sum, square) = (sums[2 * index], sums[2 * index + 1])
      let partMean = Double(pivots[index]) + sum / added
      let partSquares = max(square - sum * sum / added, 0)
      let distance = partMean - mean
      let total = count + added
      squares += partSquares + distance * distance * count * added / total
      mean += distance * added / total
      count = total
    }
    return (mean, squares)
  }

  /// Both sums over all parts.
  func add(_ channel: Int, parts: Int) -> (Double, Double) {
    var (first, second) = (0.0, 0.0)
    for part in 0..<parts {
      let index = 2 * (part * channels + channel)
      first += sums[index]
      second += sums[index + 1]
    }
    return (first, second)
  }
}
