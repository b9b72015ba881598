// The model and an optimizer's state as a checkpoint of more connections has them, at those that a model
// has: what rewinding takes of it.

extension Model {
  /// Reads parameters, running averages and an optimizer's slots; of a sparse layer what a file, which
  /// has every position, has at the layer's connections. Which connections there are does not change.
  ///
  /// - Throws: `RigLError(.data)` for a tensor that is missing or of another shape.
  func readAtConnections(
    from file: SafetensorsFile, _ optimizer: OptimizerState
  ) throws(RigLError) {
    defer { weightsDidChange() }
    for parameter in parameters {
      let slots = optimizer.slots(of: parameter)
      guard let sparse = sparseWeights(of: parameter) else {
        try read(parameter.name, parameter, from: file, into: &parameter.values)
        for slot in slots {
          try read(
            slot.name(beside: parameter), parameter, from: file, into: &slot.buffer)
        }
        continue
      }
      sparse.setWeights(try sparse.atConnections(parameter.name, of: file))
      for slot in slots {
        let values = try sparse.atConnections(slot.name(beside: parameter), of: file)
        slot.buffer.setSize(parameter.count, parameter.capacity)
        sparse.inStorageOrder(values, into: &slot.buffer)
      }
      // Nothing has grown in the training that the file is of.
      optimizer.setBirths(nil, of: parameter)
    }
    optimizer.makePieces()
    try readAverages(of: file)
  }
}

extension Slot {
  /// The slot's name in files.
  fileprivate func name(beside parameter: Parameter) -> String { "\(parameter.name).\(name)" }
}

extension SparseWeights {
  /// The elements at the connections of a tensor with one for each position, in the order of positions.
  fileprivate func atConnections(
    _ name: String, of file: SafetensorsFile
  ) throws(RigLError) -> AlignedBuffer<Float> {
    var all = AlignedBuffer<Float>(count: positions)
    try file.readFloats(name, shape: parameter.shape, into: &all)
    var values = AlignedBuffer<Float>(count: count)
    forEachConnection { index, position, _ in values[index] = all[position] }
    return values
  }
}
