// A network as a file for other programs.

extension SavedRun {
  /// Writes the network as a safetensors file, without optimizer state; replaces a file of that
  /// name.
  ///
  /// Dense, every weight is there under its parameter's name, (out, in) or OIHW, 0 where there is no
  /// connection: what PyTorch's `load_state_dict` takes for a network of the same names, torchvision's
  /// for ResNet and VGG-16. Otherwise a sparse weight is `NAME.values`, `NAME.columns` and
  /// `NAME.row_offsets`, as in checkpoints. Running averages are there in both.
  ///
  /// - Parameters:
  ///   - path: the path of the file, which may replace another one.
  ///   - isDense: whether sparse weights are written with their zeros; they are never in memory that
  ///     way.
  /// - Throws: `RigLError(.configuration)` for a file that is a run's own, this one's or another's;
  ///   `.write` if the file cannot be written.
  public func export(to path: String, isDense: Bool) throws(RigLError) {
    trap(unless: !model.isFolded, "export: batch-norm is folded into the weights")
    try write(model, architecture, to: path, isDense: isDense)
  }
}

extension SafetensorsWriter {
  /// Starts a file that a user names, which must not be one that a run needs.
  ///
  /// - Throws: `RigLError(.configuration)` if it is; `.write` if it cannot be written.
  static func export(
    to path: String, tensors: [SafetensorsTensor], metadata: [String: String],
    checksummed: Bool = false
  ) throws(RigLError) -> SafetensorsWriter {
    guard !RunFolder.owns(path) else {
      throw RigLError(
        .configuration, "\(path): is a file of a run itself, which an export would destroy",
        hint: "Choose another file by --output.")
    }
    return try SafetensorsWriter(
      path: path, tensors: tensors, metadata: metadata, checksummed: checksummed,
      followsLinks: !RunFolder.isOne(at: FileSystem.split(path).folder))
  }
}

extension Configuration {
  /// What an exported file says besides its tensors.
  func exportMetadata(
    step: Int, input: String, classes: String, normalization: String?,
    _ network: NetworkDescription?, activations: String?
  ) throws(RigLError) -> [String: String] {
    // A network needs none of the rules that it was trained by.
    var settings = self
    settings.customRules = CustomRules()
    var metadata = [
      "format": "pt", "configuration": try settings.yaml(), "step": "\(step)", "input_shape": input,
      "classes": classes,
    ]
    metadata["normalization"] = normalization
    metadata[NetworkDescription.key] = network?.json
    metadata[Model.activationsKey] = activations
    return metadata
  }
}

extension Model {
  /// The tensors of a file with all weights, and running averages.
  var denseTensors: [SafetensorsTensor] {
    parameters.map { SafetensorsTensor($0.name, .float32, shape: $0.shape) }
      + averages.map { SafetensorsTensor($0.name, .float32, shape: [$0.values.count]) }
  }

  /// Writes what ``denseTensors`` has announced.
  func writeDense(to writer: inout SafetensorsWriter) throws(RigLError) {
    for parameter in parameters {
      if let sparse = sparseWeights(of: parameter) {
        try sparse.writeDense(to: &writer, as: parameter.name)
      } else {
        try writer.append(inPositionOrder(parameter, parameter.values), to: parameter.name)
      }
    }
    for average in averages { try writer.append(average.values, to: average.name) }
  }
}

extension SparseWeights {
  /// Writes the weight with its zeros, some rows at a time.
  func writeDense(
    to writer: inout SafetensorsWriter, as name: String
  ) throws(RigLError) {
    let ordered = inPositionOrder(parameter.values)
    let step = max(1, (1 << 18) / inputs)
    for begin in stride(from: 0, to: outputs, by: step) {
      let rows = begin..<min(begin + step, outputs)
      var piece = [Float](repeating: 0, count: rows.count * inputs)
      for row in rows {
        for index in csr.row(row) {
          piece[(row - begin) * inputs + Int(csr.columns[index])] = ordered[index]
        }
      }
      try writer.append(piece, to: name)
    }
  }
}
