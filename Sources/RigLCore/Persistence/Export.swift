// A network as a file for other programs.

extension SavedRun {
  /// Writes the network as a safetensors file, without optimizer state; replaces a file of that
  /// name.
  ///
  /// Dense, every weight is there under its parameter's name, (out, in) or OIHW, 0 where there is no
  /// connection: what PyTorch's `load_state_dict` takes for a network of the same names, torchvision's
  /// for ``ResNet`` and ``VGG16``. Otherwise a sparse weight is `NAME.values`, `NAME.columns` and
  /// `NAME.row_offsets`, as in checkpoints. Running averages are there in both.
  ///
  /// - Parameter isDense: whether sparse weights are written with their zeros; they are never in
  ///   memory that way.
  /// - Throws: `RigLError(.configuration)` for a file that is a run's own, this one's or another's;
  ///   `.write` if the file cannot be written.
  public func export(to path: String, isDense: Bool) throws(RigLError) {
    trap(unless: !model.isFolded, "export: batch-norm is folded into the weights")
    guard !RunFolder.owns(path) else {
      throw RigLError(
        .configuration, "\(path): is a file of a run itself, which an export would destroy",
        hint: "Choose another file by --output.")
    }
    var metadata = [
      "format": "pt",
      "configuration": try configuration.yaml(),
      "step": "\(step)",
      "input_shape": sampleShape.written,
      "classes": "\(classes)",
    ]
    metadata["normalization"] = normalization?.written
    var writer = try SafetensorsWriter(
      path: path, tensors: isDense ? model.denseTensors : model.tensors(nil), metadata: metadata,
      followsLinks: !RunFolder.isOne(at: FileSystem.split(path).folder))
    if isDense {
      try model.writeDense(to: &writer)
    } else {
      try model.write(to: &writer, nil)
    }
    try writer.finish()
  }
}

extension Model {
  /// The tensors of a file with all weights, and running averages.
  fileprivate var denseTensors: [SafetensorsTensor] {
    parameters.map { SafetensorsTensor($0.name, .float32, shape: $0.shape) }
      + averages.map { SafetensorsTensor($0.name, .float32, shape: [$0.values.count]) }
  }

  /// Writes what ``denseTensors`` has announced.
  fileprivate func writeDense(to writer: inout SafetensorsWriter) throws(RigLError) {
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
  fileprivate func writeDense(
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
