// The weights of a model from another one's file: those that both have room for.

extension Model {
  /// Takes a file's weights and running averages, of sparse layers the connections: those that the
  /// file has, or where they are more than the layer's, or a weight with its zeros, the largest (ties
  /// to the lower position).
  ///
  /// - Parameter fresh: a layer that stays as it is, whatever the file has of it.
  func take(_ file: SafetensorsFile, except fresh: LayerWeights? = nil) throws(RigLError) {
    try requireSameActivations(as: file)
    let scratch = TopologyScratch(layers: sparseLayers)
    for parameter in parameters where parameter !== fresh?.weight && parameter !== fresh?.bias {
      if let sparse = sparseWeights(of: parameter) {
        if let values = file["\(parameter.name).values"], values.count > sparse.count {
          try sparse.keepLargestParts(of: file, values.count, scratch: scratch)
        } else if file["\(parameter.name).values"] != nil {
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
    let rest = others.count == 1 ? "" : ", nor for \(counted(others.count - 1, "other"))"
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
    let chosen = try largest(of: dense, file)
    assign(ascending: chosen, scratch: scratch)
    setWeights(dense.elements(at: chosen))
  }

  /// Sets topology and weights to the largest of the `stored` connections that a file has, which are
  /// more than this layer's.
  func keepLargestParts(
    of file: SafetensorsFile, _ stored: Int, scratch: TopologyScratch
  ) throws(RigLError) {
    let places = try positions(in: file, count: stored)
    var values = AlignedBuffer<Float>(count: stored)
    try file.readFloats("\(parameter.name).values", shape: [stored], into: &values)
    let chosen = try largest(of: values, file)
    assign(ascending: places.elements(at: chosen), scratch: scratch)
    setWeights(values.elements(at: chosen))
  }

  /// The ascending indices of the largest magnitudes of a file's weights, one for each connection.
  private func largest(
    of weights: borrowing AlignedBuffer<Float>, _ file: SafetensorsFile
  ) throws(RigLError) -> AlignedBuffer<Int64> {
    let selection = TopSelection(atMost: count)
    selection.begin(.largest, count: count)
    let scores = unsafe UnsafeMutableBufferPointer(start: weights.base, count: weights.count)
    guard
      unsafe selection.offer(
        scores, firstPosition: 0, excluding: UnsafeBufferPointer(start: nil, count: 0))
    else {
      throw RigLError(.data, "\(file.path): \(parameter.name) has a weight that is not a number")
    }
    let indices = unsafe selection.finish()
    var chosen = AlignedBuffer<Int64>(count: count)
    for index in 0..<count { chosen[index] = unsafe indices[index] }
    return chosen
  }
}

extension AlignedBuffer {
  /// The elements at some indices, in their order.
  fileprivate func elements(at indices: borrowing AlignedBuffer<Int64>) -> AlignedBuffer<Element> {
    var elements = AlignedBuffer<Element>(count: indices.count)
    for index in 0..<indices.count { elements[index] = self[Int(indices[index])] }
    return elements
  }
}
