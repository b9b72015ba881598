import RigLCore
import Testing

extension GoldenTests {
  /// y, hT, gx, gradients of biases and the dense gradients of weights; through sparse products, through
  /// dense ones of all weights, and through those of a layer whose number of connections changes.
  static func checkGRU(_ golden: GoldenCase) throws {
    #expect(golden.attributes.gate_order == "reset,update,new", "\(golden.name): order of gates")
    #expect(golden.attributes.reset_after == true, "\(golden.name): where the reset gate acts")
    for threads in [1, 2] {
      try GoldenGRU(golden, .sparse, threads).check()
      try GoldenGRU(golden, .dense, threads).check()
      try GoldenGRU(golden, .variable, threads).check()
    }
  }

  /// y and the table's gradient.
  static func checkEmbedding(_ golden: GoldenCase) throws {
    let (tokens, features) = try golden.matrix("weight")
    let given = try golden.file.int32("tokens").map { Float($0) }
    for threads in [1, 2] {
      let model = try makeModel(
        Embedding("a", tokens: tokens, features: features), inputs: 1, capacity: given.count)
      try model.weightLayers[0].set(dense: golden.file.float32("weight"))
      let pass = Pass(pool: try ThreadPool(threads: threads), seed: 0)
      pass.isTraining = true
      try golden.expect(model.forward(model.makeInput(given), pass).values(), "y")
      try model.backward(model.makeOutputGradient(golden.file.float32("gy")), pass)
      try golden.expect(model.parameters[0].gradient.array(), "gweight")
    }
  }
}

/// A golden case of a GRU, in streams of which those beyond the case's have any input.
private struct GoldenGRU {
  /// How weights are stored.
  enum Storage {
    case sparse, dense, variable
  }

  let golden: GoldenCase
  let what: String
  let storage: Storage
  let (sequences, steps, inputs, hidden): (Int, Int, Int, Int)
  let streams = 8
  let model: Model
  let probe = Probe()
  let pass: Pass

  init(_ golden: GoldenCase, _ storage: Storage, _ threads: Int) throws {
    (self.golden, self.storage) = (golden, storage)
    what = "(\(storage), \(threads) threads)"
    let shape = try golden.shape("x")
    (sequences, steps, inputs) = (shape[0], shape[1], shape[2])
    hidden = try golden.shape("h0")[1]
    try #require(sequences < streams, "\(golden.name): as many sequences")
    let masks = try [
      "a.ih": golden.file.uint8("w_ih_mask"), "a.hh": golden.file.uint8("w_hh_mask"),
    ]
    model = try Model(
      Sequential(probe, SparseGRU("a", inputs: inputs, hidden: hidden)),
      input: SampleShape(channels: inputs), capacity: streams * (steps + 2),
      connections: storage == .dense ? [:] : masks.mapValues { $0.count { $0 != 0 } },
      variable: storage == .variable ? ["a.ih", "a.hh"] : [],
      storageBelow: 0.01, streams: streams)
    for layer in model.weightLayers {
      let name = layer.name == "a.ih" ? "ih" : "hh"
      try layer.set(
        dense: golden.file.float32("w_\(name)"), mask: storage == .dense ? nil : masks[layer.name])
      try layer.setBias(golden.file.float32("b_\(name)"))
    }
    model.weightsDidChange()
    pass = Pass(pool: try ThreadPool(threads: threads), seed: 0)
    pass.isTraining = true
  }

  /// (sequences, steps, features) as (steps, streams, features), with something else for other streams.
  private func window(_ values: [Float], others: Float) -> [Float] {
    let features = values.count / sequences / steps
    var window = [Float](repeating: others, count: steps * streams * features)
    for sequence in 0..<sequences {
      for step in 0..<steps {
        for feature in 0..<features {
          window[(step * streams + sequence) * features + feature] =
            values[(sequence * steps + step) * features + feature]
        }
      }
    }
    return window
  }

  /// The reverse.
  private func sequences(_ window: [Float]) -> [Float] {
    let features = window.count / steps / streams
    return (0..<sequences * steps * features).map { index in
      let (place, feature) = index.quotientAndRemainder(dividingBy: features)
      let (sequence, step) = place.quotientAndRemainder(dividingBy: steps)
      return window[(step * streams + sequence) * features + feature]
    }
  }

  func check() throws {
    let file = golden.file
    let (state, h0) = (model.states[0], try file.float32("h0"))
    for unit in 0..<hidden {
      for sequence in 0..<sequences {
        state.values[unit * streams + sequence] = h0[sequence * hidden + unit]
      }
    }
    let input = try model.makeInput(window(file.float32("x"), others: 0.7))
    let output = try model.forward(input, pass).values()
    try golden.expect(sequences(output), "y", what)
    let last = (0..<sequences * hidden).map {
      state.values[$0 % hidden * streams + $0 / hidden]
    }
    try golden.expect(last, "hT", what)
    let gradient = try model.makeOutputGradient(window(file.float32("gy"), others: 0))
    let dense = try model.denseGradients(gradient, pass)
    try golden.expect(sequences(probe.gradient), "gx", what)
    for (number, name) in ["ih", "hh"].enumerated() {
      let layer = model.weightLayers[number]
      try golden.expect(try #require(layer.bias).gradient.array(), "gb_\(name)", what)
      let own = layer.dense(layer.weight.gradient)
      guard storage != .dense else {
        try golden.expect(own, "gw_\(name)", what)
        continue
      }
      try golden.expect(dense[number], "gw_\(name)", "by panels \(what)")
      let mask = layer.mask()
      let atConnections = zip(own, zip(dense[number], mask)).map { $1.1 == 0 ? $1.0 : $0 }
      try golden.expect(atConnections, "gw_\(name)", "at connections \(what)")
    }
  }
}
