/// An array of bytes in IDX, the format of MNIST and its successors; gzip or not.
///
/// Two zero bytes, the element type (8: unsigned bytes, the only one read), the number of
/// dimensions; each dimension as a big-endian 32-bit number; the elements, the last dimension
/// fastest; nothing else.
package struct IDXArray: Hashable, Sendable {
  /// The extent of each dimension, none of them 0.
  package let dimensions: [Int]
  /// The elements, the product of ``dimensions`` of them.
  package let bytes: [UInt8]

  /// Bytes beyond which an array is refused unless told otherwise: 4 GiB.
  package static let defaultLimit = 1 << 32

  /// Reads an array from a file.
  ///
  /// - Parameters:
  ///   - path: the file, compressed by gzip or not; its first bytes tell.
  ///   - rank: the number of dimensions that the array must have.
  ///   - limit: the most bytes to accept, of the file and of the array.
  /// - Throws: `missingFile` or `data`, with the path.
  package init(contentsOf path: String, rank: Int, limit: Int = defaultLimit) throws(RigLError) {
    // The header adds a few bytes, and gzip a little to what it cannot compress.
    let file = try fileBytes(at: path, limit: limit + limit / 1024 + 1024)
    try self.init(file, name: path, rank: rank, limit: limit)
  }

  /// Reads an array from the contents of a file.
  ///
  /// No more memory is taken than the data turns out to fill, whatever its header says.
  ///
  /// - Parameters:
  ///   - file: the file's contents, compressed by gzip or not.
  ///   - name: what to call the file in errors.
  ///   - rank: the number of dimensions that the array must have.
  ///   - limit: the most bytes to accept.
  /// - Throws: `data`.
  package init(
    _ file: [UInt8], name: String, rank: Int, limit: Int = defaultLimit
  ) throws(RigLError) {
    trap(unless: rank >= 1 && rank <= 255, "IDXArray: \(rank) dimensions, expected 1...255")
    let isGzip = Inflater.isGzip(file)
    let headerCount = 4 + 4 * rank
    guard isGzip else {
      dimensions = try Self.dimensions(file.prefix(headerCount), name, rank, limit)
      let expected = headerCount + dimensions.reduce(1, *)
      guard file.count == expected else {
        throw Self.wrongLength(name, dimensions, "\(file.count)", headerCount)
      }
      try requireAllocation(bytes: file.count, for: name)
      bytes = Array(file[headerCount...])
      return
    }

    var inflater = try Inflater(file, name: name)
    let header = try inflater.read(headerCount)
    dimensions = try Self.dimensions(header[...], name, rank, limit)
    let total = dimensions.reduce(1, *)
    // A header that promises more than the file can hold is not believed.
    let elements = try inflater.read(min(total, Inflater.mostBytes(of: file)))
    guard elements.count == total else {
      throw Self.wrongLength(name, dimensions, "\(headerCount + elements.count)", headerCount)
    }
    guard try inflater.read(1).isEmpty else {
      throw Self.wrongLength(name, dimensions, "more", headerCount)
    }
    bytes = elements
  }

  /// The dimensions that a header gives.
  private static func dimensions(
    _ header: ArraySlice<UInt8>, _ name: String, _ rank: Int, _ limit: Int
  ) throws(RigLError) -> [Int] {
    let hint = "An IDX file of unsigned bytes was expected, plain or compressed by gzip."
    guard header.count >= 4, header[0] == 0, header[1] == 0 else {
      throw RigLError(
        .data, "\(name): not an IDX file: it does not start with its mark",
        hint: MistakenFile.hint(forContents: header) ?? hint)
    }
    guard header[2] == 8 else {
      throw RigLError(
        .data, "\(name): IDX elements of type \(header[2]), expected 8 (unsigned bytes)", hint: hint
      )
    }
    guard header[3] == rank else {
      throw RigLError(
        .data, "\(name): an IDX array of \(header[3]) dimensions, expected \(rank)",
        hint: "Images have three dimensions, labels one: is it the wrong file?")
    }
    guard header.count == 4 + 4 * rank else {
      throw RigLError(.data, "\(name): ends within the IDX header, at byte \(header.count)")
    }
    var dimensions: [Int] = []
    var total = 1
    for axis in 0..<rank {
      let extent = header[(4 + 4 * axis)..<(8 + 4 * axis)].reduce(0) { $0 << 8 | Int($1) }
      dimensions.append(extent)
      let (product, overflow) = total.multipliedReportingOverflow(by: extent)
      guard extent > 0 else {
        throw RigLError(.data, "\(name): dimension \(axis) of the IDX array is 0")
      }
      guard !overflow && product <= limit else {
        throw RigLError(
          .data,
          "\(name): the IDX header gives dimensions \(dimensions) and more bytes than the "
            + "\(limit) that are accepted")
      }
      total = product
    }
    return dimensions
  }

  private static func wrongLength(
    _ name: String, _ dimensions: [Int], _ found: String, _ header: Int
  ) -> RigLError {
    let expected = header + dimensions.reduce(1, *)
    return RigLError(
      .data, "\(name): dimensions \(dimensions) need \(expected) bytes of IDX, there are \(found)",
      hint: "The file is damaged or incomplete: download or copy it again.")
  }
}
