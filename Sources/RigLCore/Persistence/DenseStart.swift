// Starting a sparse training from a trained dense model.

extension Model {
  /// Takes the weights, biases and running averages of a trained dense model; each sparse layer
  /// keeps as many of its weights as it has connections, those of largest magnitude (ties to the
  /// lower position).
  ///
  /// - Parameter path: a run's folder, whose last checkpoint is taken, or a safetensors file with
  ///   dense tensors named as this model's parameters: PyTorch's of the same network, for example.
  ///   Nothing else may be in the file, but optimizer state and `num_batches_tracked`.
  /// - Throws: `RigLError(.missingFile)` or `.data` for a file that cannot be read, or has other
  ///   layers than this model, more or fewer; `.configuration` for a model that is not dense.
  func start(fromDense path: String) throws(RigLError) {
    let file: SafetensorsFile
    if path.hasSuffix(".safetensors") || FileSystem.item(path) == .file {
      file = try SafetensorsFile(path: path)
      try file.verifyChecksum()
    } else if let latest = try RunFolder.open(path).latestCheckpoint() {
      file = latest.file
    } else {
      throw RigLError(.missingFile, "\(path): the run has no checkpoint to start from")
    }
    try requireNothingElse(in: file)
    for parameter in parameters where file["\(parameter.name).values"] != nil {
      throw RigLError(
        .configuration, "\(file.path): \(parameter.name) is sparse already",
        hint: "Start from a dense run; go on with a sparse one by --resume.")
    }
    try take(file)
  }

  /// Takes a file's weights and running averages, of sparse layers the connections: those that the
  /// file has, or of a weight with its zeros the largest.
  func take(_ file: SafetensorsFile) throws(RigLError) {
    let scratch = TopologyScratch(layers: sparseLayers)
    for parameter in parameters {
      if let sparse = sparseWeights(of: parameter) {
        if file["\(parameter.name).values"] != nil {
          try sparse.readParts(of: file, scratch: scratch)
        } else {
          try sparse.keepLargest(of: file, scratch: scratch)
        }
      } else {
        try read(parameter.name, parameter, from: file, into: &parameter.values)
      }
    }
    try readAverages(of: file)
    try requireSound(path: file.path)
    weightsDidChange()
  }

  /// Throws if a number that came from a file is none, or a variance is negative.
  private func requireSound(path: String) throws(RigLError) {
    func require(
      _ name: String, _ values: borrowing AlignedBuffer<Float>, least: Float
    ) throws(RigLError) {
      for index in 0..<values.count {
        let value = values[index]
        guard value.isFinite, value >= least else {
          throw RigLError(.data, "\(path): \(name) holds \(value), which no network can use")
        }
      }
    }
    for parameter in parameters {
      try require(parameter.name, parameter.values, least: -.greatestFiniteMagnitude)
    }
    for average in averages {
      let isVariance = average.name.hasSuffix("running_var")
      try require(average.name, average.values, least: isVariance ? 0 : -.greatestFiniteMagnitude)
    }
  }

  /// Reads the running averages of a file.
  func readAverages(of file: SafetensorsFile) throws(RigLError) {
    for average in averages {
      try file.readFloats(average.name, shape: [average.values.count], into: &average.values)
    }
  }

  /// Throws if a file has tensors that this model has no place for: it is another network's.
  func requireNothingElse(in file: SafetensorsFile) throws(RigLError) {
    let known = Set(parameters.map(\.name) + averages.map(\.name))
    let others = file.tensors.map(\.name).filter { name in
      // PyTorch counts batches beside running averages; checkpoints have slots beside parameters.
      !known.contains(name) && !name.hasSuffix(".num_batches_tracked")
        && !known.contains(name.split(separator: ".").dropLast().joined(separator: "."))
    }
    guard let first = others.first else { return }
    let rest = others.count == 1 ? "" : ", nor for \(others.count - 1) others"
    throw RigLError(
      .data, "\(file.path): the network has no place for \(first)\(rest)",
      hint: file.hintOfNames
        ?? nearest(to: first, in: parameters.map(\.name)).map {
          "Is it the same network, and as wide? The nearest parameter is \($0)."
        })
  }
}

extension SparseWeights {
  /// Sets topology and weights to the largest magnitudes of the weight that a file has with its
  /// zeros.
  func keepLargest(of file: SafetensorsFile, scratch: TopologyScratch) throws(RigLError) {
    // Before there is memory for it: the file is then as large.
    try file.require(parameter.name, shape: parameter.shape)
    var dense = AlignedBuffer<Float>(count: positions)
    try file.readFloats(parameter.name, shape: parameter.shape, into: &dense)
    let selection = TopSelection(atMost: count)
    selection.begin(.largest, count: count)
    let scores = unsafe UnsafeMutableBufferPointer(start: dense.base, count: dense.count)
    guard
      unsafe selection.offer(
        scores, firstPosition: 0, excluding: UnsafeBufferPointer(start: nil, count: 0))
    else {
      throw RigLError(.data, "\(file.path): \(parameter.name) has a weight that is not a number")
    }
    let positions = unsafe selection.finish()
    unsafe assign(ascending: positions, scratch: scratch)
    var ordered = AlignedBuffer<Float>(count: count)
    for index in 0..<count { ordered[index] = unsafe dense[Int(positions[index])] }
    setWeights(ordered)
  }
}
