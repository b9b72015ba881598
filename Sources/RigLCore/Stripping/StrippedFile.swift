// A stripped network as a file: one that evaluates and predicts as a run does.

extension SavedRun {
  /// Writes the network without its dead units as a safetensors file, which ``SavedRun`` opens as it
  /// does a run; replaces a file of that name.
  ///
  /// - Throws: `RigLError(.configuration)` for a network of layers of one's own, or a file that is a
  ///   run's own; `.write` if the file cannot be written.
  package func strip(to path: String) throws(RigLError) -> StripReport {
    let stripped = try StrippedNetwork(of: model)
    let architecture = try NetworkArchitecture(stripped.model.layers)
    try write(stripped.model, architecture, to: path, isDense: false)
    return stripped.report
  }

  /// Writes a network with what a file says besides.
  ///
  /// - Parameter architecture: its layers, if nothing else says them.
  func write(
    _ model: Model, _ architecture: NetworkArchitecture?, to path: String, isDense: Bool
  ) throws(RigLError) {
    var metadata = try configuration.exportMetadata(
      step: step, input: sampleShape.written, classes: "\(classes)",
      normalization: normalization?.written, architecture == nil ? customNetwork : nil,
      activations: model.layers.activationNames)
    var tensors = isDense ? model.denseTensors : model.tensors(nil)
    var used: [Int32] = []
    if let architecture {
      metadata["format"] = NetworkArchitecture.format
      metadata[NetworkArchitecture.key] = architecture.json
      // With the rules that it was trained by: it is measured by the same loss.
      metadata["configuration"] = try configuration.yaml()
      metadata["class_names"] = classNamesInFile
      if let selected = model.layers.selectedInputs {
        used = selected.map { Int32($0) }
        tensors.append(
          SafetensorsTensor(NetworkArchitecture.usedInputs, .int32, shape: [used.count]))
      }
    }
    var writer = try SafetensorsWriter.export(
      to: path, tensors: tensors, metadata: metadata, checksummed: architecture != nil)
    if isDense {
      try model.writeDense(to: &writer)
    } else {
      try model.write(to: &writer, nil)
    }
    if !used.isEmpty { try writer.append(used, to: NetworkArchitecture.usedInputs) }
    try writer.finish()
  }

  /// The stripped network at a path; nil: there is none there, but perhaps a run.
  ///
  /// - Throws: `RigLError(.data)` for a safetensors file that is damaged.
  static func strippedFile(at path: String) throws(RigLError) -> SafetensorsFile? {
    guard FileSystem.item(path) == .file else { return nil }
    let file: SafetensorsFile
    do throws(RigLError) {
      file = try SafetensorsFile(path: path)
    } catch {
      if path.hasSuffix(".safetensors") { throw error }
      return nil
    }
    guard file.metadata[NetworkArchitecture.key] != nil else { return nil }
    try file.verifyChecksum()
    return file
  }

  /// Whether a path is that of a stripped network's file.
  ///
  /// - Throws: `RigLError(.data)` for a safetensors file that is damaged.
  package static func isStripped(at path: String) throws(RigLError) -> Bool {
    try strippedFile(at: path) != nil
  }
}

extension SafetensorsFile {
  /// Throws where the file is a stripped network's, and a whole one is asked for.
  func requireNotStripped() throws(RigLError) {
    guard metadata[NetworkArchitecture.key] != nil else { return }
    throw RigLError(
      .data,
      "\(path): a stripped network, of which only what is left is known: it cannot be trained",
      hint: "Give the run that it was made from. rigl evaluate, predict and inspect take the file.")
  }
}
