import RigLCore

/// A linear layer's step whose sparse and dense time are compared.
package struct LayerCase: Hashable, Sendable {
  /// Features of the input.
  package var inputs: Int
  /// Features of the output.
  package var outputs: Int
  /// Samples in the batch.
  package var batch: Int

  /// Creates a case.
  package init(inputs: Int, outputs: Int, batch: Int) {
    (self.inputs, self.outputs, self.batch) = (inputs, outputs, batch)
  }

  /// The cases that are measured unless others are asked for.
  package static let standard = [
    LayerCase(inputs: 1024, outputs: 1024, batch: 128),
    LayerCase(inputs: 2048, outputs: 2048, batch: 256),
    LayerCase(inputs: 384, outputs: 1536, batch: 2048),
    LayerCase(inputs: 4096, outputs: 4096, batch: 128),
  ]

  /// Reads "1024x1024" (with the standard batch, or 128) or "512x1024@64".
  ///
  /// - Throws: a configuration error for anything else.
  package init(_ text: String) throws(RigLError) {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    let sides = (parts.first ?? "").split(separator: "x", omittingEmptySubsequences: false)
    guard parts.count <= 2, sides.count == 2, let inputs = Int(sides[0]),
      let outputs = Int(sides[1]), (1...1 << 20).contains(inputs), (1...1 << 20).contains(outputs)
    else {
      throw RigLError(
        .configuration, "'\(text)' is not a layer", hint: "write INPUTSxOUTPUTS or INxOUT@BATCH")
    }
    let standard = LayerCase.standard.first { $0.inputs == inputs && $0.outputs == outputs }
    var batch: Int? = standard?.batch ?? 128
    if parts.count == 2 { batch = Int(parts[1]) }
    guard let batch, (1...1 << 20).contains(batch) else {
      throw RigLError(.configuration, "'\(text)': the batch is not between 1 and 2^20")
    }
    guard inputs * outputs >= 2, inputs * outputs <= 1 << 28 else {
      throw RigLError(
        .configuration,
        "'\(text)': \(inputs * outputs) weights; a layer has at least two, and at "
          + "most 2^28, for its dense twin has to fit")
    }
    self.init(inputs: inputs, outputs: outputs, batch: batch)
  }

  /// "1024x1024@128".
  package var name: String { "\(inputs)x\(outputs)@\(batch)" }

  /// The number of connections at a density; at least 1, and one less than all at most.
  package func connections(density: Double) -> Int {
    let positions = inputs * outputs
    return min(max(Int((density * Double(positions)).rounded()), 1), max(positions - 1, 1))
  }
}

/// The least work of a sparse layer's step, forward and both backward products.
package struct LayerWork: Hashable, Sendable {
  /// Floating-point operations: two for each connection and sample forward, four backward.
  package let flops: Double
  /// Bytes that must be moved.
  package let bytes: Double
  /// Bytes that are in use during a step.
  package let workingSet: Int

  /// The work of a layer with a number of connections.
  ///
  /// Forward reads x and writes y; backward reads x and dy and writes dx. A connection is 8 bytes
  /// in each direction (weight and place); backward writes its gradient, and refreshing the
  /// weights' forward copy reads weight and place and writes once.
  package init(_ layer: LayerCase, connections: Int) {
    let (inputs, outputs) = (layer.inputs * layer.batch, layer.outputs * layer.batch)
    flops = 6 * Double(connections) * Double(layer.batch)
    bytes = 4 * Double(3 * inputs + 2 * outputs) + Double(connections) * (8 + 8 + 4 + 12)
    // x, y, dx, dy; weight, gradient, forward copy, its sources, and two places.
    workingSet = 4 * 2 * (inputs + outputs) + 24 * connections
  }
}
