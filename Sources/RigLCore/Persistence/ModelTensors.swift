// A model's parameters, slots and topology as the tensors of a file, in the order of positions.

/// Names a sparse weight's parts: `fc1.weight.columns`, `.row_offsets`, `.values`.
private func part(_ parameter: Parameter, _ name: String) -> String { "\(parameter.name).\(name)" }

extension Model {
  /// The tensors of a file with the model's parameters, and with an optimizer's slots if given.
  func tensors(_ optimizer: OptimizerState?) -> [SafetensorsTensor] {
    var tensors: [SafetensorsTensor] = []
    forEachParameter { parameter, connections in
      let sparse = connections.flatMap { $0.isWhole ? nil : $0 }
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
      if connections != nil, optimizer?.ages(of: parameter)?.areKept == true {
        let shape = sparse.map { [$0.count] } ?? parameter.shape
        tensors.append(SafetensorsTensor(part(parameter, Parameter.birth), .int32, shape: shape))
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
      if let sparse, !sparse.isWhole {
        try writer.append(sparse.csr.columns, to: part(parameter, "columns"))
        try writer.append(sparse.csr.rowOffsets, to: part(parameter, "row_offsets"))
        try writer.append(
          sparse.inPositionOrder(parameter.values), to: part(parameter, "values"))
      } else if let sparse {
        try writer.append(sparse.inPositionOrder(parameter.values), to: parameter.name)
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
      if let sparse, let ages = optimizer?.ages(of: parameter), ages.areKept {
        try writer.append(
          sparse.inPositionOrder(ages.births), to: part(parameter, Parameter.birth))
      }
    }
    for average in averages { try writer.append(average.values, to: average.name) }
  }

  /// The elements of an array beside a parameter that is stored densely, in the order of positions.
  package func inPositionOrder(
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
    try file.readFloats(name, shape: parameter.shape, into: &ordered)
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
    trap(unless: !isFolded, "read: batch-norm is folded into the weights")
    try requireSameActivations(as: file)
    defer { weightsDidChange() }
    let scratch = TopologyScratch(layers: sparseLayers)
    for parameter in parameters {
      let sparse = sparseWeights(of: parameter)
      if let sparse {
        try sparse.readParts(of: file, scratch: scratch)
      } else {
        try read(parameter.name, parameter, from: file, into: &parameter.values)
      }
      for slot in optimizer?.slots(of: parameter) ?? [] {
        let name = part(parameter, slot.name)
        if let sparse {
          var ordered = AlignedBuffer<Float>(count: sparse.count)
          try file.read(name, shape: try sparse.shape(in: file), into: &ordered)
          slot.buffer.setSize(parameter.count, parameter.capacity)
          sparse.inStorageOrder(ordered, into: &slot.buffer)
        } else {
          try read(name, parameter, from: file, into: &slot.buffer)
        }
      }
      if let optimizer, optimizer.keepsAges { try sparse?.readBirths(of: file, optimizer) }
    }
    optimizer?.makePieces()
    for average in averages {
      try file.read(average.name, shape: [average.values.count], into: &average.values)
    }
  }

  /// Throws what ``read(from:_:)`` would, before anything has changed, and where the file has tensors
  /// that this model has no place for.
  func requireAll(of file: SafetensorsFile, _ optimizer: OptimizerState?) throws(RigLError) {
    for parameter in parameters {
      let sparse = sparseWeights(of: parameter)
      if let sparse {
        try sparse.requireParts(of: file)
      } else {
        try requireDense(parameter, in: file)
      }
      for slot in optimizer?.slots(of: parameter) ?? [] {
        try requireState(part(parameter, slot.name), in: file)
        try file.require(
          part(parameter, slot.name), .float32,
          shape: try sparse?.shape(in: file) ?? parameter.shape)
      }
      if optimizer?.keepsAges == true { _ = try sparse?.births(in: file) }
    }
    for average in averages {
      try file.require(average.name, .float32, shape: [average.values.count])
    }
    try requireNothingElse(in: file)
    try requireSameActivations(as: file)
  }

  /// Throws where a file does not have a parameter whole.
  private func requireDense(
    _ parameter: Parameter, in file: SafetensorsFile
  ) throws(RigLError) {
    if file[parameter.name] == nil, let values = file[part(parameter, "values")] {
      let layer = weightLayers.first { $0.weight === parameter }?.name ?? parameter.name
      throw RigLError(
        .data,
        "\(file.path): layer \(layer) is sparse there, dense here: \(values.count) of "
          + "\(parameter.count) connections",
        hint: "Model(layers, savedAt: …, capacity: …) makes a model with the file's.")
    }
    try file.requireFloats(parameter.name, shape: parameter.shape)
  }

  /// Throws where an optimizer's state is asked for, and a file was written without one, or with
  /// another's.
  private func requireState(_ name: String, in file: SafetensorsFile) throws(RigLError) {
    guard file[name] == nil else { return }
    throw RigLError(
      .data,
      "\(file.path): was saved without the optimizer's state, or with another optimizer's: "
        + "\(name) is not there",
      hint: "Model.load(from:) takes weights and connections alone; TrainingStep.save(to:) writes "
        + "the state, too.")
  }

  /// The connections of each layer in a file, by layer name: what a model must have room for. As much
  /// as is in the file, which is known before there is memory for it.
  static func connections(
    of layers: [any WeightLayer], in file: SafetensorsFile
  ) throws(RigLError) -> [String: Int] {
    var connections: [String: Int] = [:]
    for layer in layers {
      let (name, positions) = ("\(layer.name).weight", layer.inputs * layer.outputs)
      guard let values = file["\(name).values"] else {
        try file.require(name, .float32, shape: layer.shape)
        connections[layer.name] = positions
        continue
      }
      guard values.count <= positions else {
        throw RigLError(.data, "\(file.path): layer \(layer.name) has more connections than places")
      }
      try file.require("\(name).row_offsets", .int64, shape: [layer.outputs + 1])
      connections[layer.name] = values.count
    }
    return connections
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

extension SparseWeights {
  /// Reads topology and weights from their parts in a file.
  ///
  /// - Throws: `RigLError(.data)` for a part that is missing, of another shape, or a topology that is
  ///   none.
  func readParts(of file: SafetensorsFile, scratch: TopologyScratch) throws(RigLError) {
    let count = try connections(in: file)
    var ordered = AlignedBuffer<Float>(count: count)
    if isWhole(in: file) {
      var all = AlignedBuffer<Int64>(count: count)
      for position in 0..<count { all[position] = Int64(position) }
      assign(ascending: all, scratch: scratch)
      try file.readFloats(parameter.name, shape: parameter.shape, into: &ordered)
    } else {
      assign(ascending: try positions(in: file, count: count), scratch: scratch)
      try file.readFloats(part(parameter, "values"), shape: [count], into: &ordered)
    }
    setWeights(ordered)
  }

  /// Throws where a file's parts are not those of a topology of as many connections.
  fileprivate func requireParts(of file: SafetensorsFile) throws(RigLError) {
    if isWhole(in: file) {
      try file.requireFloats(parameter.name, shape: parameter.shape)
      return
    }
    guard let values = file[part(parameter, "values")] else {
      throw RigLError(
        .data, "\(file.path): \(parameter.name) is not there as a sparse weight",
        hint: file[parameter.name].map { _ in
          "It is there with its zeros: NetworkImport makes a run of such a file."
        })
    }
    let count = try connections(in: file)
    guard values.shape == [count] else {
      throw RigLError(
        .data,
        "\(file.path): \(parameter.name) has \(values.count) connections, the model's \(count)",
        hint: "Model(layers, savedAt: …, capacity: …) makes a model with the file's.")
    }
    try file.requireFloats(part(parameter, "values"), shape: [count])
    _ = try positions(in: file, count: count)
  }

  /// The connections that this layer takes from a file: as many as it has, or where their number changes
  /// as many as are there.
  private func connections(in file: SafetensorsFile) throws(RigLError) -> Int {
    if isWhole(in: file) { return positions }
    guard variation != nil else { return count }
    let count = try file.require(part(parameter, "values")).count
    guard count <= positions else {
      throw RigLError(.data, "\(file.path): layer \(name) has more connections than places")
    }
    return count
  }

  /// Whether a file has every position's weight, and this layer has, or may have, every connection.
  private func isWhole(in file: SafetensorsFile) -> Bool {
    (variation != nil || isWhole) && file[parameter.name] != nil
  }

  /// The shape of what a file has of each weight: all positions', or a row of the connections'.
  fileprivate func shape(in file: SafetensorsFile) throws(RigLError) -> [Int] {
    isWhole(in: file) ? parameter.shape : [try connections(in: file)]
  }

  /// The births of a file's connections, in the order of positions; nil: it has none, and they count as
  /// there from the start.
  fileprivate func births(in file: SafetensorsFile) throws(RigLError) -> AlignedBuffer<Int32>? {
    let name = part(parameter, Parameter.birth)
    guard file[name] != nil else { return nil }
    let shape = try shape(in: file)
    var births = AlignedBuffer<Int32>(count: shape.reduce(1, *))
    try file.read(name, shape: shape, into: &births)
    let steps = try TrainingState.decode(file.metadata["state"], path: file.path).weightSteps
    for index in 0..<births.count where !(0...steps).contains(Int(births[index])) {
      throw RigLError(
        .data,
        "\(file.path): tensor \(name) is damaged: a connection born at step \(births[index]) of "
          + "\(steps)")
    }
    return births
  }

  /// Has an optimizer take these.
  fileprivate func readBirths(
    of file: SafetensorsFile, _ optimizer: OptimizerState
  ) throws(RigLError) {
    guard let ordered = try births(in: file) else {
      return optimizer.setBirths(nil, of: parameter)
    }
    var stored = AlignedBuffer<Int32>(count: stored)
    inStorageOrder(ordered, into: &stored)
    optimizer.setBirths(stored, of: parameter)
  }

  /// Sets the topology to ascending dense positions.
  func assign(ascending positions: borrowing AlignedBuffer<Int64>, scratch: TopologyScratch) {
    positions.withSpan { (span) in
      unsafe span.withUnsafeBufferPointer { unsafe assign(ascending: $0, scratch: scratch) }
    }
  }

  /// The dense positions of the `count` connections in a file, checked to be ascending and inside the
  /// layer.
  func positions(
    in file: SafetensorsFile, count: Int
  ) throws(RigLError) -> AlignedBuffer<Int64> {
    try SparseWeights.positions(
      in: file, of: parameter.name, outputs: outputs, inputs: inputs, count: count)
  }

  /// The dense positions of the `count` connections of a weight in a file, checked to be ascending and
  /// inside the layer.
  static func positions(
    in file: SafetensorsFile, of name: String, outputs: Int, inputs: Int, count: Int
  ) throws(RigLError) -> AlignedBuffer<Int64> {
    var columns = AlignedBuffer<Int32>(count: count)
    try file.read("\(name).columns", shape: [count], into: &columns)
    var offsets = AlignedBuffer<Int64>(count: outputs + 1)
    try file.read("\(name).row_offsets", shape: [outputs + 1], into: &offsets)
    func damaged(_ row: Int) -> RigLError {
      RigLError(.data, "\(file.path): \(name): row \(row) of the topology is damaged")
    }
    guard offsets[0] == 0, offsets[outputs] == Int64(count) else { throw damaged(0) }
    var positions = AlignedBuffer<Int64>(count: count)
    for row in 0..<outputs {
      let (begin, end) = (offsets[row], offsets[row + 1])
      guard begin >= 0, begin <= end, end <= Int64(count) else { throw damaged(row) }
      var previous: Int32 = -1
      for index in Int(begin)..<Int(end) {
        let column = columns[index]
        guard column > previous, Int(column) < inputs else { throw damaged(row) }
        previous = column
        positions[index] = Int64(row) * Int64(inputs) + Int64(column)
      }
    }
    return positions
  }
}
