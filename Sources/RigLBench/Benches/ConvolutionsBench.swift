import RigLCore

/// A convolution whose step is measured.
package struct ConvolutionCase: Hashable, Sendable {
  /// The kind of a convolution: sparse, stem or depthwise.
  package enum Kind: String, Hashable, Sendable {
    /// A layer between others, which may be sparse.
    case inner
    /// The first layer: dense, without a gradient of its input.
    case stem
    /// Each channel with a kernel of its own.
    case depthwise
  }

  /// The kind of the convolution.
  package let kind: Kind
  /// Channels, kernel, stride, padding k / 2.
  package let shape: ConvolutionShape
  /// Height and width of the input.
  package let side: Int
  /// Samples in the batch.
  package let batch: Int

  /// Creates a case.
  package init(
    _ kind: Kind = .inner, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, side: Int,
    batch: Int
  ) {
    self.kind = kind
    shape = ConvolutionShape(inputs: inputs, outputs: outputs, kernel: kernel, stride: stride)
    (self.side, self.batch) = (side, batch)
  }

  /// Inner layers of ResNet-50 and WRN-22-2; stems of WRN-22-2, MobileNet and ResNet-50; depthwise
  /// layers of MobileNet.
  package static let standard = [
    ConvolutionCase(inputs: 64, outputs: 64, kernel: 3, side: 56, batch: 8),
    ConvolutionCase(inputs: 128, outputs: 128, kernel: 3, side: 28, batch: 8),
    ConvolutionCase(inputs: 512, outputs: 512, kernel: 3, side: 7, batch: 16),
    ConvolutionCase(inputs: 32, outputs: 32, kernel: 3, side: 32, batch: 128),
    ConvolutionCase(inputs: 512, outputs: 512, kernel: 1, side: 14, batch: 16),
    ConvolutionCase(inputs: 256, outputs: 64, kernel: 1, side: 56, batch: 8),
    ConvolutionCase(.stem, inputs: 3, outputs: 16, kernel: 3, side: 32, batch: 128),
    ConvolutionCase(.stem, inputs: 3, outputs: 32, kernel: 3, stride: 2, side: 224, batch: 16),
    ConvolutionCase(.stem, inputs: 3, outputs: 64, kernel: 7, stride: 2, side: 224, batch: 8),
    ConvolutionCase(.depthwise, inputs: 256, outputs: 256, kernel: 3, side: 28, batch: 16),
    ConvolutionCase(.depthwise, inputs: 512, outputs: 512, kernel: 3, side: 14, batch: 16),
    ConvolutionCase(
      .depthwise, inputs: 128, outputs: 128, kernel: 3, stride: 2, side: 56, batch: 16),
  ]

  /// "3x3 64-64 56@8", "3x3/2 3-32 224@16 stem".
  package var name: String {
    let stride = shape.stride > 1 ? "/\(shape.stride)" : ""
    let suffix = kind == .inner ? "" : " \(kind.rawValue)"
    return "\(shape.kernel)x\(shape.kernel)\(stride) \(shape.inputs)-\(shape.outputs) "
      + "\(side)@\(batch)\(suffix)"
  }
}

/// A convolution's step, forward and both gradients, packing included: sparse against dense, and
/// dense layers by themselves; all are layers of this library.
package struct ConvolutionsBench: Sendable {
  /// The layers.
  package var cases = ConvolutionCase.standard
  /// The shares of connections that exist in the sparse layers; none: dense layers only.
  package var densities = [0.1, 0.05]
  /// Threads.
  package var threads = 1
  /// Rounds, in each of which dense and sparse alternate.
  package var rounds = 9

  /// The standard cases.
  package init() {}

  /// Measures all cases; each sparse result is handed over as soon as it is there, the dense ones at
  /// the end.
  package func run(_ peaks: Peaks, _ report: (Record) throws -> Void) throws {
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 1)
    pass.isTraining = true
    var denseRecords: [Record] = []
    for one in cases {
      let dense = try ConvolutionStep(one, density: 1)
      let densities = one.kind == .inner ? self.densities : []
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
      denseRecords.append(denseRecord(dense, times[0], peaks))
    }
    for record in denseRecords { try report(record) }
  }

  private var nameWidth: Int { cases.map(\.name.count).max() ?? 0 }

  private func denseRecord(_ step: ConvolutionStep, _ times: [Double], _ peaks: Peaks) -> Record {
    let bound = peaks.bound(flops: step.flops, bytes: step.bytes, workingSet: step.workingSet)
    var record = Record("convolutions")
    record.add("case", .text(step.one.name), title: "dense layer", width: nameWidth)
    record.add("kind", .text(step.one.kind.rawValue))
    record.add("threads", .integer(threads))
    record.add("dense_ms", .number(median(times) * 1e3), title: "ms")
    record.add("dense_least_ms", .number((times.min() ?? .nan) * 1e3), title: "least")
    record.add("bound_ms", .number(bound * 1e3), title: "bound")
    record.add("fraction_of_bound", .number(bound / median(times)), title: "of bound")
    record.add("gflops", .number(step.flops / median(times) / 1e9), title: "GFLOP/s")
    record.add("rounds", .integer(rounds))
    return record
  }

  private func record(
    _ step: ConvolutionStep, _ times: [Double], dense: [Double], _ peaks: Peaks
  ) -> Record {
    let bound = peaks.bound(flops: step.flops, bytes: step.bytes, workingSet: step.workingSet)
    var record = Record("convolutions")
    record.add("case", .text(step.one.name), title: "layer", width: nameWidth)
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
  private let step: LayerStep

  init(_ one: ConvolutionCase, density: Double) throws(RigLError) {
    self.one = one
    self.density = density
    let layer = ConvolutionStep.layer(one)
    connections = Int(density * Double(layer.inputs * layer.outputs))
    step = try LayerStep(
      layer, input: SampleShape(channels: one.shape.inputs, height: one.side, width: one.side),
      batch: one.batch, connections: connections, isFirst: one.kind == .stem)
  }

  private static func layer(_ one: ConvolutionCase) -> any WeightLayer {
    let shape = one.shape
    switch one.kind {
    case .inner:
      return SparseConv2d(
        "layer", inputs: shape.inputs, outputs: shape.outputs, kernel: shape.kernel,
        stride: shape.stride)
    case .stem:
      return DenseConv2d(
        "layer", inputs: shape.inputs, outputs: shape.outputs, kernel: shape.kernel,
        stride: shape.stride)
    case .depthwise:
      return DepthwiseConv2d(
        "layer", channels: shape.inputs, kernel: shape.kernel, stride: shape.stride)
    }
  }

  func run(_ pass: Pass) throws(RigLError) { try step.run(pass) }

  /// Two a connection and output pixel forward, four backward; a stem has no gradient of its input.
  var flops: Double {
    let pixels = step.model.outputShape.height * step.model.outputShape.width * one.batch
    return (one.kind == .stem ? 4 : 6) * Double(connections * pixels)
  }

  /// x and y forward; x, dy and dx backward; each connection's lists, copies and gradient once.
  var bytes: Double {
    4 * Double((one.kind == .stem ? 2 : 3) * inputs + 2 * outputs) + 32 * Double(connections)
  }

  var workingSet: Int { 8 * (inputs + outputs) + 24 * connections }

  private var inputs: Int { one.shape.inputs * one.side * one.side * one.batch }
  private var outputs: Int { step.model.outputShape.count * one.batch }
}
