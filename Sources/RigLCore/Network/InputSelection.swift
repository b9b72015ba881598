/// Some channels of a network's input, of vectors some values: the first layer of a network whose
/// other inputs nothing reads.
///
/// Samples are still given whole.
package struct InputSelection: Layer, PlannedLayer {
  /// The channels, or values, that go on, ascending.
  package let used: [Int]
  /// Channels, or values, of a sample.
  package let inputs: Int
  /// Whether samples are images.
  package let takesPlanes: Bool

  /// Creates a layer.
  package init(_ used: [Int], of inputs: Int, takesPlanes: Bool) {
    let isAscending = zip(used, used.dropFirst()).allSatisfy { $0 < $1 }
    trap(
      unless: isAscending && used.first ?? -1 >= 0 && used.last ?? inputs < inputs,
      "InputSelection: \(used.count) inputs of \(inputs), not ascending or beyond them")
    (self.used, self.inputs, self.takesPlanes) = (used, inputs, takesPlanes)
  }

  /// The name `inputs`.
  package var stageName: String { "inputs" }
  /// The type, with both numbers.
  package var kind: String { "InputSelection(\(used.count) of \(inputs))" }
  /// The gradient of the output is kept: nobody asks for the input's.
  package var fusing: Fusing { .keepsGradient }

  /// The channels that go on, as large as they were.
  package func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    guard input.channels == inputs else {
      throw RigLError(
        .configuration,
        "inputs: a selection of \(inputs) channels, but there are \(input.channels)")
    }
    return SampleShape(channels: used.count, height: input.height, width: input.width)
  }

  package var channelEffect: ChannelEffect { .selection(used) }
  /// Strips of the channels that go on.
  package func strip(of input: SampleShape) -> SampleShape? { try? outputShape(of: input) }

  /// A copy.
  package func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    trap(unless: site.inputGradient == nil, "InputSelection: a layer that is not the first")
    return InputSelecting(used, site)
  }
}

// MARK: - In a file

extension InputSelection {
  /// Both numbers; which inputs are used is a tensor of the file.
  package var architecture: ArchitectureLayer? {
    var layer = ArchitectureLayer(.inputs)
    (layer.inputs, layer.outputs, layer.isImage) = (inputs, used.count, takesPlanes)
    return layer
  }

  init(_ layer: ArchitectureLayer, used: [Int]?) throws(RigLError) {
    let inputs = try layer.side(layer.inputs, "inputs")
    guard let used, used.count == layer.outputs, used.first ?? -1 >= 0,
      used.last ?? inputs < inputs, zip(used, used.dropFirst()).allSatisfy({ $0 < $1 })
    else { throw layer.problem("the list of inputs that are used") }
    self.init(used, of: inputs, takesPlanes: layer.isImage ?? false)
  }
}

extension Sequential {
  /// The channels of the network's input, of vectors the values, that its first layer selects; nil:
  /// all go on.
  var selectedInputs: [Int]? {
    guard case .selection(let used)? = layers.first?.effect else { return nil }
    return used
  }

  /// The layers after a selection of inputs.
  var layersAfterSelection: [any Layer] {
    selectedInputs == nil ? layers : Array(layers.dropFirst())
  }
}
