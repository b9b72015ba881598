import RigLCore
import Testing

/// A network of one's own layers, for tests of layers.
func makeModel(
  _ layers: any Layer..., inputs: Int, capacity: Int, connections: [String: Int] = [:],
  variable: Set<String> = [], isTraining: Bool = true
) throws -> Model {
  try Model(
    Sequential(layers), input: SampleShape(channels: inputs), capacity: capacity,
    connections: connections, variable: variable, isTraining: isTraining)
}

/// Passes its input on, and keeps the gradient that comes back: put before a layer, it has the
/// layer asked for its input's gradient.
struct Probe: Layer {
  /// What a model's stage and the test share.
  final class Watch: @unchecked Sendable {
    fileprivate(set) var gradient: [Float] = []
    var onForward: () -> Void = {}
  }

  let watch = Watch()
  var gradient: [Float] { watch.gradient }

  func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    ProbeStage(watch, site)
  }
}

private final class ProbeStage: Stage {
  private let watch: Probe.Watch
  private let site: StageSite

  init(_ watch: Probe.Watch, _ site: StageSite) { (self.watch, self.site) = (watch, site) }

  func forward(_ pass: Pass) {
    watch.onForward()
    site.output.samples = site.input.samples
    for group in 0..<site.input.groups { site.output.copyGroup(group, from: site.input) }
  }

  func backward(_ pass: Pass) { watch.gradient = site.outputGradient.values() }
}

extension Tensor {
  /// Takes (samples, values a sample), row-major, of a number that is known to fit.
  func set(_ values: [Float]) {
    do { try setValues(values) } catch { Issue.record(error) }
  }
}

extension Model {
  /// A tensor for the gradient of the logits.
  func makeOutputGradient(_ values: [Float]) -> Tensor {
    let gradient = Tensor(shape: outputShape, capacity: capacity, lanes: lanes)
    gradient.set(values)
    gradient.clearDeadLanes()
    return gradient
  }

  /// A tensor of inputs.
  func makeInput(_ values: [Float]) -> Tensor {
    let input = makeInput()
    input.set(values)
    return input
  }
}

extension Tensor {
  /// Sets the dead lanes of the last group.
  func fillDeadLanes(_ value: Float) {
    let live = samples
    guard live % lanes != 0, capacity >= (live + lanes - 1) / lanes * lanes else { return }
    samples = (live + lanes - 1) / lanes * lanes
    for sample in live..<samples {
      for index in 0..<shape.count { self[sample, index] = value }
    }
    samples = live
  }

  /// Zeroes them, as gradients must have them.
  func clearDeadLanes() { fillDeadLanes(0) }
}

extension LayerWeights {
  /// Sets connections (where the mask is not 0) and weights from the dense (outputs, inputs) form.
  func set(dense: [Float], mask: [UInt8]? = nil) throws {
    if let connections {
      let positions = dense.indices.filter { mask == nil || mask?[$0] != 0 }
      try connections.setConnections(at: positions, weights: positions.map { dense[$0] })
    } else {
      for (index, value) in dense.enumerated() { weight.values[place(of: index)] = value }
    }
  }

  func setBias(_ values: [Float]) {
    for (index, value) in values.enumerated() { bias?.values[index] = value }
  }

  /// An array beside the weights (their values, gradient, a slot) in dense form.
  func dense(_ stored: borrowing AlignedBuffer<Float>) -> [Float] {
    connections.map { $0.dense(stored) }
      ?? (0..<stored.count).map { stored[place(of: $0)] }
  }

  /// 1 where a connection exists.
  func mask() -> [UInt8] {
    guard let connections else { return [UInt8](repeating: 1, count: inputs * outputs) }
    var mask = [UInt8](repeating: 0, count: inputs * outputs)
    for position in connections.connectedPositions() { mask[position] = 1 }
    return mask
  }
}

/// A loss with a gradient that is given, whatever the logits: how a test chooses dL/dY.
struct GivenGradient: Loss {
  /// (samples, logits)
  var gradient: [Float]

  func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double { 0 }

  func evaluate(
    _ logits: Tensor, labels: Labels, gradient: Tensor?, outcome: BatchPredictions, pass: Pass
  ) throws(RigLError) -> Double {
    gradient?.samples = logits.samples
    gradient?.zero()
    gradient?.set(self.gradient)
    return 0
  }
}

/// Samples of random values with labels that follow from them, so that there is something to learn.
struct RandomSamples: Dataset {
  let count: Int
  let sampleShape: SampleShape
  let classes: Int
  private let values: [Float]
  private let labels: [Int]

  init(count: Int, width: Int, classes: Int, seed: UInt64 = 1) {
    self.init(count: count, shape: SampleShape(channels: width), classes: classes, seed: seed)
  }

  init(count: Int, shape: SampleShape, classes: Int, seed: UInt64 = 1) {
    let width = shape.count
    var generator = SeededGenerator(seed: seed)
    self.count = count
    self.classes = classes
    sampleShape = shape
    let values = (0..<count * width).map { _ in Float.random(in: -1..<1, using: &generator) }
    self.values = values
    labels = (0..<count).map { sample in
      (0..<classes).max { values[sample * width + $0] < values[sample * width + $1] } ?? 0
    }
  }

  func label(of sample: Int) -> Int { labels[sample] }

  func write(_ sample: Int, into target: inout MutableSpan<Float>) {
    for index in target.indices { target[index] = values[sample * target.count + index] }
  }
}

/// Random numbers in -1..<1.
func randomValues(_ count: Int, seed: UInt64) -> [Float] {
  var generator = SeededGenerator(seed: seed)
  return (0..<count).map { _ in Float.random(in: -1..<1, using: &generator) }
}
