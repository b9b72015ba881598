import RigLCore
import Testing

extension GoldenTests {
  /// y, gx and the dense gweight of a convolution: sparse, dense, depthwise.
  static func checkConvolution(_ golden: GoldenCase) throws {
    let (x, weight) = (try golden.shape("x"), try golden.shape("weight"))
    let attributes = golden.attributes
    let (stride, padding) = (attributes.stride ?? 1, attributes.padding ?? 0)
    let groups = attributes.groups ?? 1
    let mask = try golden.file.uint8("mask")
    for threads in [1, 2] {
      guard groups == 1 else {
        #expect(groups == x[1] && weight[0] == groups, "\(golden.name): \(groups) groups")
        let layer = DepthwiseConv2d(
          "layer", channels: x[1], kernel: weight[2], stride: stride, padding: padding)
        try check(golden, layer, connections: layer.inputs * layer.outputs, threads: threads)
        continue
      }
      let sparse = SparseConv2d(
        "layer", inputs: x[1], outputs: weight[0], kernel: weight[2], stride: stride,
        padding: padding)
      try check(golden, sparse, connections: mask.count { $0 != 0 }, threads: threads)
      let dense = DenseConv2d(
        "layer", inputs: x[1], outputs: weight[0], kernel: weight[2], stride: stride,
        padding: padding)
      try check(golden, dense, connections: dense.inputs * dense.outputs, threads: threads)
    }
  }

  private static func check(
    _ golden: GoldenCase, _ layer: some WeightLayer, connections: Int, threads: Int
  ) throws {
    let file = golden.file
    let what = "(\(type(of: layer)), \(threads) threads)"
    let probe = Probe()
    let model = try makePlanesModel(
      golden, [probe, layer], connections: ["layer": connections])
    let mask = try file.uint8("mask")
    let weights = model.weightLayers[0]
    try weights.set(dense: file.float32("weight"), mask: mask)
    model.weightsDidChange()
    let pass = Pass(pool: try ThreadPool(threads: threads), seed: 0)
    pass.isTraining = true
    try golden.expect(model.forward(model.makeInput(file.float32("x")), pass).values(), "y", what)
    let dense = try model.denseGradients(model.makeOutputGradient(file.float32("gy")), pass)
    try golden.expect(probe.gradient, "gx", what)
    let own = weights.dense(weights.weight.gradient)
    guard weights.connections != nil else { return try golden.expect(own, "gweight", what) }
    try golden.expect(dense[0], "gweight", "by panels \(what)")
    let atConnections = zip(own, zip(dense[0], mask)).map { $1.1 == 0 ? $1.0 : $0 }
    try golden.expect(atConnections, "gweight", "at connections \(what)")
  }

  /// A model of layers on the planes of a case's x.
  private static func makePlanesModel(
    _ golden: GoldenCase, _ layers: [any Layer], connections: [String: Int] = [:]
  ) throws -> Model {
    let x = try golden.shape("x")
    return try Model(
      Sequential(layers), input: SampleShape(channels: x[1], height: x[2], width: x[3]),
      capacity: x[0], connections: connections)
  }

  /// Batch-norm by itself, in training and outside.
  static func checkBatchNorm(_ golden: GoldenCase) throws {
    let file = golden.file
    let channels = try golden.shape("x")[1]
    let layer = BatchNorm(
      "norm", channels: channels, momentum: 1 - Double(golden.attributes.momentum ?? 0.1),
      epsilon: Double(golden.attributes.eps ?? 1e-5))
    let probe = Probe()
    let model = try makePlanesModel(golden, [probe, layer])
    let norm = model.normalizations[0]
    func set(_ buffer: inout AlignedBuffer<Float>, _ name: String) throws {
      for (index, value) in try file.float32(name).enumerated() { buffer[index] = value }
    }
    try set(&norm.gamma.values, "gamma")
    try set(&norm.beta.values, "beta")
    try set(&norm.runningMean.values, "running_mean")
    try set(&norm.runningVariance.values, "running_var")
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 0)
    let input = try model.makeInput(file.float32("x"))
    try golden.expect(model.forward(input, pass).values(), "y_eval")
    pass.isTraining = true
    try golden.expect(model.forward(input, pass).values(), "y")
    try golden.expect(norm.runningMean.values.array(), "new_running_mean")
    try golden.expect(norm.runningVariance.values.array(), "new_running_var")
    try model.backward(model.makeOutputGradient(file.float32("gy")), pass)
    try golden.expect(probe.gradient, "gx")
    try golden.expect(norm.gamma.gradient.array(), "ggamma")
    try golden.expect(norm.beta.gradient.array(), "gbeta")
  }

  static func checkMaxPool(_ golden: GoldenCase) throws {
    let attributes = golden.attributes
    try checkPool(
      golden,
      Pool2d(
        .maximum, kernel: #require(attributes.kernel), stride: attributes.stride,
        padding: attributes.padding ?? 0))
  }

  static func checkGlobalAveragePool(_ golden: GoldenCase) throws {
    try checkPool(golden, GlobalAveragePool())
  }

  private static func checkPool(_ golden: GoldenCase, _ layer: any Layer) throws {
    let probe = Probe()
    let model = try makePlanesModel(golden, [probe, layer])
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 0)
    pass.isTraining = true
    let input = try model.makeInput(golden.file.float32("x"))
    try golden.expect(model.forward(input, pass).values(), "y")
    try model.backward(model.makeOutputGradient(golden.file.float32("gy")), pass)
    try golden.expect(probe.gradient, "gx")
  }
}
