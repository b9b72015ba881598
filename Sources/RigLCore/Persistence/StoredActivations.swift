// A network's activation functions in the files of its weights. Tensors of another function have the
// same names and shapes, and would be taken for this one's.

extension Sequential {
  /// The functions in order, each once where it follows itself: `relu`, `gelu, tanh`; `none`.
  var activationNames: String {
    var names: [String] = []
    for name in activations.map(\.words) where name != names.last { names.append(name) }
    return names.isEmpty ? "none" : names.joined(separator: ", ")
  }
}

extension Layer {
  /// The activation functions of the layers, in order, this one included.
  fileprivate var activations: [Activation] {
    parts.layers.flatMap(\.activations) + (effect.activation.map { [$0] } ?? [])
  }
}

extension Sequential {
  /// Throws where a file's weights were trained with other activation functions than these layers'.
  ///
  /// - Throws: `RigLError(.data)`. A file of another program does not say its functions; one that an
  ///   earlier version has written has none but ReLU.
  func requireSameActivations(
    as file: SafetensorsFile,
    hint: String =
      "Leave the setting activation out, or set it as the file's network has it; of layers made in Swift, "
      + "make the same."
  ) throws(RigLError) {
    let own = activationNames
    var others = file.metadata[Model.activationsKey]
    if others == nil, own != "none" {
      let isOlder =
        file.metadata["configuration"] != nil
        || file.metadata["format"]?.hasPrefix("swift-rigl") == true
      others = isOlder ? Activation.relu.words : nil
    }
    guard let others, others != own else { return }
    throw RigLError(
      .data,
      "\(file.path): its weights are those of a network whose activation is \(shortened(others)), and "
        + "here it is \(own)", hint: hint)
  }
}

extension Model {
  /// The key of a file's metadata.
  static let activationsKey = "activations"

  /// Throws where a file's weights were trained with other activation functions than this network's.
  func requireSameActivations(as file: SafetensorsFile) throws(RigLError) {
    try layers.requireSameActivations(as: file)
  }
}
