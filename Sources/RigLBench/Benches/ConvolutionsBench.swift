import RigLCore

/// A convolution whose step is measured.
public struct ConvolutionCase: Hashable, Sendable {
  /// Channels, kernel, stride, padding; stride 1 and padding k / 2.
  public let shape: ConvolutionShape
  /// Height and width of the input.
  public let side: Int
  /// Samples in the batch.
  public let batch: Int

  /// Creates a case.
  public init(inputs: Int, outputs: Int, kernel: Int, side: Int, batch: Int) {
    shape = ConvolutionShape(inputs: inputs, outputs: outputs, kernel: kernel)
    (self.side, self.batch) = (side, batch)
  }

  /// Layers of ResNet-50 and WRN-22-2.
  public static let standard = [
    ConvolutionCase(inputs: 64, outputs: 64, kernel: 3, side: 56, batch: 8),
    ConvolutionCase(inputs: 128, outputs: 128, kernel: 3, side: 28, batch: 8),
    ConvolutionCase(inputs: 512, outputs: 512, kernel: 3, side: 7, batch: 16),
    ConvolutionCase(inputs: 32, outputs: 32, kernel: 3, side: 32, batch: 128),
    ConvolutionCase(inputs: 512, outputs: 512, kernel: 1, side: 14, batch: 16),
    ConvolutionCase(inputs: 256, outputs: 64, kernel: 1, side: 56, batch: 8),
  ]

  /// "3x3 64-64 56@8".
  public var name: String {
    "\(shape.kernel)x\(shape.kernel) \(shape.inputs)-\(shape.outputs) \(side)@\(batch)"
  }
}

/// A convolution's step, forward and both gradients, packing included, sparse against dense; both
/// are layers of this library.
public struct ConvolutionsBench: Sendable {
  /// The layers.
  public var cases = ConvolutionCase.standard
  /// The shares of connections that exist.
  public var densities = [0.1, 0.05]
  /// Threads.
  public var threads = 1
  /// Rounds, in each of which dense and sparse alternate.
  public var rounds = 9

  /// The standard cases.
  public init() {}

  /// Measures all cases; each result is handed over as soon as it is there.
  public func run(_ peaks: Peaks, _ report: (Record) throws -> Void) throws {
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 1)
    pass.isTraining = true
    for one in cases {
      let dense = try ConvolutionStep(one, density: 1)
      let sparse = try densities.map { try ConvolutionStep(one, density: $0) }
      for step in [dense] + sparse { try step.run(pass) }
      var times = [[Double]](repeating: [], count: sparse.count + 1)
      for _ in 0..<rounds {
        for (index, step) in ([dense] + sparse).enumerated() {
          times[index].append(try seconds { () throws(RigLError) in try step.run(pass) })
        }
      }
      for (index, step) in sparse.enumerated() {
        try report(record(step, times[index + 1], dense: times[0], peaks))
      }
    }
  }

  private func record(
    _ step: ConvolutionStep, _ times: [Double], dense: [Double], _ peaks: Peaks
  ) -> Record {
    let bound = peaks.bound(flops: step.flops, bytes: step.bytes, workingSet: step.workingSet)
    var record = Record("convolutions")
    record.add("case", .text(step.one.name), title: "layer")
    record.add("density", .number(step.density), title: "density")
    record.add("connections", .integer(step.connections))
    record.add("threads", .integer(threads))
    record.add("speedup", .number(medianRatio(dense, times)), title: "speedup")
    record.add("dense_ms", .number(median(dense) * 1e3), title: "dense ms")
    record.add("sparse_ms", .number(median(times) * 1e3), title: "sparse ms")
    record.add("bound_ms", .number(bound * 1e3))
    record.add("fraction_of_bound", .number(bound / median(times)), title: "of bound")
    record.add("gflops", .number(step.flops / median(times) / 1e9), title: "GFLOP/s")
    record.add("rounds", .integer(rounds))
    return record
  }
}

/// A convolution and its operands: the real layer of a real model.
private final class ConvolutionStep {
  let one: ConvolutionCase
  let density: Double
  let connections: Int
  private let model: Model
  private let layer: SparseConv2d
  private let input: Tensor
  private let gradient: Tensor

  init(_ one: ConvolutionCase, density: Double) throws(RigLError) {
    self.one = one
    self.density = density
    let shape = one.shape
    layer = SparseConv2d(
      "layer", inputs: shape.inputs, outputs: shape.outputs, kernel: shape.kernel)
    connections = Int(density * Double(layer.inputs * layer.outputs))
    model = try Model(
      Sequential(Entrance(), layer),
      input: SampleShape(channels: shape.inputs, height: one.side, width: one.side),
      capacity: one.batch, connections: ["layer": connections])
    model.draw(seed: 1, initializer: Initializer(.glorotUniform))
    input = model.makeInput()
    gradient = Tensor(shape: model.outputShape, capacity: one.batch, lanes: model.lanes)
    input.fillAtRandom(seed: 1, number: 0)
    gradient.fillAtRandom(seed: 1, number: 1)
  }

  func run(_ pass: Pass) throws(RigLError) {
    model.weightsDidChange()
    _ = try layer.forward(input, pass)
    _ = try layer.backward(gradient, pass)
  }

  /// Two a connection and output pixel forward, four backward.
  var flops: Double { 6 * Double(connections * one.side * one.side * one.batch) }

  /// x and y forward; x, dy and dx backward; each connection's lists, copies and gradient once.
  var bytes: Double { 4 * Double(3 * inputs + 2 * outputs) + 32 * Double(connections) }

  var workingSet: Int { 8 * (inputs + outputs) + 24 * connections }

  private var inputs: Int { one.shape.inputs * one.side * one.side * one.batch }
  private var outputs: Int { one.shape.outputs * one.side * one.side * one.batch }
}
