// A model's parameters, slots and topology as the tensors of a file, in the order of positions.

/// Names a sparse weight's parts: `fc1.weight.columns`, `.row_offsets`, `.values`.
private func part(_ parameter: Parameter, _ name: String) -> String { "\(parameter.name).\(name)" }

extension Model {
  /// The tensors of a file with the model's parameters, and with an optimizer's slots if given.
  func tensors(_ optimizer: OptimizerState?) -> [SafetensorsTensor] {
    var tensors: [SafetensorsTensor] = []
    forEachParameter { parameter, sparse in
      if let sparse {
        tensors.append(SafetensorsTensor(part(parameter, "columns"), .int32, shape: [sparse.count]))
        tensors.append(
          SafetensorsTensor(part(parameter, "row_offsets"), .int64, shape: [sparse.outputs + 1]))
        tensors.append(
          SafetensorsTensor(part(parameter, "values"), .float32, shape: [sparse.count]))
      } else {
        tensors.append(SafetensorsTensor(parameter.name, .float32, shape: parameter.shape))
      }
      for slot in optimizer?.slots(of: parameter) ?? [] {
        let shape = sparse.map { [$0.count] } ?? parameter.shape
        tensors.append(SafetensorsTensor(part(parameter, slot.name), .float32, shape: shape))
      }
    }
    for average in averages {
      tensors.append(SafetensorsTensor(average.name, .float32, shape: [average.values.count]))
    }
    return tensors
  }

  /// Writes what ``tensors(_:)`` has announced.
  func write(
    to writer: inout SafetensorsWriter, _ optimizer: OptimizerState?
  ) throws(RigLError) {
    for parameter in parameters {
      let sparse = sparseWeights(of: parameter)
      if let sparse {
        try writer.append(sparse.csr.columns, to: part(parameter, "columns"))
        try writer.append(sparse.csr.rowOffsets, to: part(parameter, "row_offsets"))
        try writer.append(
          sparse.inPositionOrder(parameter.values), to: part(parameter, "values"))
      } else {
        try writer.append(inPositionOrder(parameter, parameter.values), to: parameter.name)
      }
      for slot in optimizer?.slots(of: parameter) ?? [] {
        let name = part(parameter, slot.name)
        if let sparse {
          try writer.append(sparse.inPositionOrder(slot.buffer), to: name)
        } else {
          try writer.append(inPositionOrder(parameter, slot.buffer), to: name)
        }
      }
    }
    for average in averages { try writer.append(average.values, to: average.name) }
  }

  /// The elements of an array beside a parameter that is stored densely, in the order of positions.
  func inPositionOrder(
    _ parameter: Parameter, _ stored: borrowing AlignedBuffer<Float>
  ) -> AlignedBuffer<Float> {
    var ordered = AlignedBuffer<Float>(count: stored.count)
    let layer = weightLayers.first { $0.weight === parameter }
    for position in 0..<stored.count {
      ordered[position] = stored[layer?.place(of: position) ?? position]
    }
    return ordered
  }

  /// Reads such an array.
  func read(
    _ name: String, _ parameter: Parameter, from file: SafetensorsFile,
    into stored: inout AlignedBuffer<Float>
  ) throws(RigLError) {
    var ordered = AlignedBuffer<Float>(count: stored.count)
    try file.read(name, shape: parameter.shape, into: &ordered)
    let layer = weightLayers.first { $0.weight === parameter }
    for position in 0..<stored.count {
      stored[layer?.place(of: position) ?? position] = ordered[position]
    }
  }

  /// Reads parameters, topology and, if given, an optimizer's slots.
  ///
  /// - Throws: `RigLError(.data)` for a tensor that is missing, of another shape, or a topology that
  ///   is none.
  func read(from file: SafetensorsFile, _ optimizer: OptimizerState?) throws(RigLError) {
    let scratch = TopologyScratch(layers: sparseLayers)
    for parameter in parameters {
      let sparse = sparseWeights(of: parameter)
      if let sparse {
        let positions = try Model.positions(of: sparse, parameter, in: file)
        positions.withSpan { (span) in
          unsafe span.withUnsafeBufferPointer {
            unsafe sparse.assign(ascending: $0, scratch: scratch)
          }
        }
        var ordered = AlignedBuffer<Float>(count: sparse.count)
        try file.read(part(parameter, "values"), shape: [sparse.count], into: &ordered)
        sparse.setWeights(ordered)
      } else {
        try read(parameter.name, parameter, from: file, into: &parameter.values)
      }
      for slot in optimizer?.slots(of: parameter) ?? [] {
        let name = part(parameter, slot.name)
        if let sparse {
          var ordered = AlignedBuffer<Float>(count: sparse.count)
          try file.read(name, shape: [sparse.count], into: &ordered)
          sparse.inStorageOrder(ordered, into: &slot.buffer)
        } else {
          try read(name, parameter, from: file, into: &slot.buffer)
        }
      }
    }
    for average in averages {
      try file.read(average.name, shape: [average.values.count], into: &average.values)
    }
  }

  /// The connections of each sparse layer in a file, by layer name: what a model must have room for.
  static func connections(in file: SafetensorsFile) -> [String: Int] {
    var connections: [String: Int] = [:]
    for tensor in file.tensors where tensor.name.hasSuffix(".weight.values") {
      connections[String(tensor.name.dropLast(".weight.values".count))] = tensor.count
    }
    return connections
  }

  /// A sparse weight's dense positions in a file, checked to be ascending and inside the layer.
  private static func positions(
    of sparse: SparseWeights, _ parameter: Parameter, in file: SafetensorsFile
  ) throws(RigLError) -> AlignedBuffer<Int64> {
    var columns = AlignedBuffer<Int32>(count: sparse.count)
    try file.read(part(parameter, "columns"), shape: [sparse.count], into: &columns)
    var offsets = AlignedBuffer<Int64>(count: sparse.outputs + 1)
    try file.read(part(parameter, "row_offsets"), shape: [sparse.outputs + 1], into: &offsets)
    func damaged(_ row: Int) -> RigLError {
      RigLError(
        .data, "\(file.path): \(parameter.name): row \(row) of the topology is damaged")
    }
    guard offsets[0] == 0, offsets[sparse.outputs] == Int64(sparse.count) else { throw damaged(0) }
    var positions = AlignedBuffer<Int64>(count: sparse.count)
    for row in 0..<sparse.outputs {
      let (begin, end) = (offsets[row], offsets[row + 1])
      guard begin >= 0, begin <= end, end <= Int64(sparse.count) else { throw damaged(row) }
      var previous: Int32 = -1
      for index in Int(begin)..<Int(end) {
        let column = columns[index]
        guard column > previous, Int(column) < sparse.inputs else { throw damaged(row) }
        previous = column
        positions[index] = Int64(row) * Int64(sparse.inputs) + Int64(column)
      }
    }
    return positions
  }

  private func forEachParameter(_ body: (Parameter, SparseWeights?) -> Void) {
    for parameter in parameters { body(parameter, sparseWeights(of: parameter)) }
  }

  /// The connections that a parameter belongs to; nil if it is stored densely.
  func sparseWeights(of parameter: Parameter) -> SparseWeights? {
    sparseLayers.first { $0.parameter === parameter }
  }
}

extension OptimizerState {
  /// The slots of a parameter.
  func slots(of parameter: Parameter) -> [Slot] {
    parameters.firstIndex { $0 === parameter }.map { slots[$0] } ?? []
  }
}
