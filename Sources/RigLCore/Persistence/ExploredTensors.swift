// The positions ever active, as tensors of a checkpoint beside the weights that they belong to: what
// is not a connection now. As `fc1.weight.formerly_active`, ascending positions (I64), or
// `fc1.weight.formerly_active_bitmap` (U8), whichever is smaller; in neither form if they are not
// known.

extension ExploredPositions {
  private func name(_ index: Int, isList: Bool) -> String {
    "\(layers[index].parameter.name).formerly_active" + (isList ? "" : "_bitmap")
  }

  /// The tensors of a checkpoint.
  func tensors() -> [SafetensorsTensor] {
    guard isKnown else { return [] }
    return former.indices.map { index in
      let (layer, isList) = (former[index], former[index].isListSmaller)
      return SafetensorsTensor(
        name(index, isList: isList), isList ? .int64 : .uint8,
        shape: [isList ? layer.count : layer.bitmapBytes])
    }
  }

  /// Writes what ``tensors()`` has announced.
  func write(to writer: inout SafetensorsWriter) throws(RigLError) {
    guard isKnown else { return }
    for (index, layer) in former.enumerated() {
      guard layer.isListSmaller else {
        try layer.withBitmap { (span) throws(RigLError) in
          try writer.append(span, to: name(index, isList: false))
        }
        continue
      }
      // In pieces: a bitmap is not also held as a list.
      var piece: [Int64] = []
      piece.reserveCapacity(1 << 12)
      try layer.forEach { (position) throws(RigLError) in
        piece.append(position)
        guard piece.count == 1 << 12 else { return }
        try writer.append(piece, to: name(index, isList: true))
        piece.removeAll(keepingCapacity: true)
      }
      try writer.append(piece, to: name(index, isList: true))
    }
  }

  /// Takes a checkpoint's; the layers' topology has been read before.
  ///
  /// - Parameter hasMoved: whether there was a topology update before the checkpoint. Without one
  ///   there are no former positions, whatever the file says.
  /// - Throws: `RigLError(.data)` for a tensor that is missing or cannot be right.
  func read(from file: SafetensorsFile, hasMoved: Bool) throws(RigLError) {
    becomeKnown()
    let isThere = former.indices.contains { index in
      file[name(index, isList: true)] != nil || file[name(index, isList: false)] != nil
    }
    guard isThere else {
      if hasMoved { forget() } else { former.filter { $0.count > 0 }.forEach { $0.removeAll() } }
      return
    }
    for (index, layer) in former.enumerated() {
      let isList = file[name(index, isList: true)] != nil
      let name = name(index, isList: isList)
      let isRight: Bool
      if isList {
        let count = try file.require(name, .int64).count
        isRight = try layer.readList(count: count) { (span) throws(RigLError) in
          try file.read(name, shape: [count], into: &span)
        }
      } else {
        let shape = [layer.bitmapBytes]
        try file.require(name, .uint8, shape: shape)
        isRight = try layer.readBitmap { (span) throws(RigLError) in
          try file.read(name, shape: shape, into: &span)
        }
      }
      guard isRight, layer.areFree(in: layers[index]), hasMoved || layer.count == 0 else {
        throw RigLError(
          .data, "\(file.path): tensor \(name) is damaged: not positions without connections")
      }
    }
  }
}
