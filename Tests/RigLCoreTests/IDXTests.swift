import RigLCore
import Testing

@Suite struct IDXTests {
  static let plain = IDXFixture.plain

  private func read(_ file: [UInt8], rank: Int = 3, limit: Int = 1 << 32) throws(RigLError)
    -> IDXArray
  {
    try IDXArray(file, name: "a/file", rank: rank, limit: limit)
  }

  /// Expects a `data` error that names the file; returns what it says.
  @discardableResult
  private func refuses(
    _ file: [UInt8], rank: Int = 3, limit: Int = 1 << 32, _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) -> String {
    let error = #expect(throws: RigLError.self, comment, sourceLocation: sourceLocation) {
      try read(file, rank: rank, limit: limit)
    }
    #expect(error?.kind == .data, comment, sourceLocation: sourceLocation)
    #expect(
      error?.what.hasPrefix("a/file: ") == true, comment, sourceLocation: sourceLocation)
    return error?.what ?? ""
  }

  // MARK: - What is right

  @Test(arguments: [
    plain, IDXFixture.compressed, IDXFixture.gzip(plain),
    IDXFixture.gzip(plain, extra: [3, 0, 1, 2, 3]),
    // Several members are one file; an empty one is how some tools mark the end.
    IDXFixture.gzip(Array(plain[..<7])) + IDXFixture.gzip(Array(plain[7...])),
    IDXFixture.gzip([]) + IDXFixture.compressed + IDXFixture.gzip([]),
  ])
  func reads(file: [UInt8]) throws {
    let array = try read(file)
    #expect(array.dimensions == [4, 5, 6])
    #expect(array.bytes == IDXFixture.elements)
  }

  @Test(arguments: 1...5)
  func readsEveryRank(rank: Int) throws {
    let dimensions = Array(repeating: 2, count: rank)
    let elements = (0..<(1 << rank)).map { UInt8($0) }
    let array = try read(IDXFixture.idx(dimensions, elements), rank: rank)
    #expect(array.dimensions == dimensions && array.bytes == elements)
  }

  // MARK: - What is wrong

  @Test func namesWhatIsNotIDX() {
    #expect(refuses([]).contains("not an IDX file"))
    #expect(refuses(Array("P5 4 5 255".utf8)).contains("not an IDX file"))
    var floats = Self.plain
    floats[2] = 0x0D
    #expect(refuses(floats).contains("type 13"))
    #expect(refuses(Self.plain, rank: 1).contains("3 dimensions, expected 1"))
  }

  @Test(arguments: 0..<3, [0, 1, 3, 7, 255, 1 << 16, 1 << 31, 1 << 32 - 1])
  func refusesEveryWrongDimension(axis: Int, extent: Int) {
    var dimensions = [4, 5, 6]
    dimensions[axis] = extent
    let file = IDXFixture.idx(dimensions, IDXFixture.elements)
    refuses(file)
    refuses(IDXFixture.gzip(file))
  }

  @Test func refusesEmptyArrays() {
    #expect(refuses(IDXFixture.idx([4, 0, 6], [])).contains("dimension 1 of the IDX array is 0"))
  }

  @Test func refusesDimensionsWhoseProductOverflows() {
    let file = IDXFixture.idx([1 << 31, 1 << 31, 4], [])  // 2^64
    #expect(refuses(file).contains("more bytes than"))
    // With a limit that lets everything pass that does not overflow.
    #expect(refuses(file, limit: .max).contains("more bytes than"))
  }

  @Test func refusesMoreThanTheLimit() throws {
    _ = try read(Self.plain, limit: 120)
    for file in [Self.plain, IDXFixture.compressed] {
      #expect(refuses(file, limit: 119).contains("more bytes than the 119"))
    }
  }

  @Test func decompressesNoMoreThanTheHeaderSays() {
    // 60 000 more bytes; and a header that promises 4 GiB where there are 120 bytes.
    let long = Self.plain + [UInt8](repeating: 0, count: 60_000)
    #expect(refuses(IDXFixture.gzip(long)).contains("there are more"))
    let short = IDXFixture.idx([1 << 12, 1 << 10, 1 << 10], IDXFixture.elements)
    #expect(refuses(IDXFixture.gzip(short)).contains("there are 136"))
  }

  @Test func refusesTruncationAtEveryByte() {
    for file in [Self.plain, IDXFixture.compressed, IDXFixture.gzip(Self.plain)] {
      for count in 0..<file.count { refuses(Array(file[..<count]), "\(count) bytes") }
    }
  }

  @Test(arguments: [[0], [0, 0, 0, 0], [0x1F], [0x1F, 0x8B], [1, 2, 3], [0, 1]] as [[UInt8]])
  func refusesTrailingBytes(trailing: [UInt8]) {
    refuses(Self.plain + trailing)
    // Zeros after gzip's end are no part of it; see below.
    if trailing.contains(where: { $0 != 0 }) { refuses(IDXFixture.compressed + trailing) }
    refuses(IDXFixture.gzip(Self.plain + trailing))
  }

  /// What writes whole blocks, tapes for example, pads files with zeros.
  @Test(arguments: [1, 4, 511, 70_000])
  func takesGzipThatIsPaddedWithZeros(count: Int) throws {
    let zeros = [UInt8](repeating: 0, count: count)
    let members =
      IDXFixture.gzip(Array(Self.plain[..<50])) + IDXFixture.gzip(Array(Self.plain[50...]))
    for file in [IDXFixture.compressed, IDXFixture.gzip(Self.plain), members] {
      #expect(try read(file + zeros).bytes == IDXFixture.elements)
      // Padding ends a file: what follows is something else.
      refuses(file + zeros + file)
    }
    refuses(Array(IDXFixture.compressed.dropLast(4)) + zeros)
  }

  /// Magic, method, flags; the extra field's length; the block's length and its complement; sum
  /// and length in the trailer.
  @Test func refusesEveryWrongFieldOfGzip() {
    let file = IDXFixture.gzip(Self.plain, extra: [3, 0, 1, 2, 3])
    let fields = [0, 1, 2, 3, 10, 11, 16, 17, 18, 19] + (file.count - 8..<file.count)
    for field in fields {
      for change in [1, 2, 0x40, 0x80, 0xFF] as [UInt8] {
        // Of the flags, "text" is the one that changes nothing.
        if field == 3 && change == 1 { continue }
        var damaged = file
        damaged[field] ^= change
        refuses(damaged, "byte \(field) ^ \(change)")
      }
    }
  }

  /// Damage is found, or was to a part that carries no data.
  @Test func neverReadsDamagedGzipAsSomethingElse() {
    for file in [IDXFixture.compressed, IDXFixture.gzip(Self.plain)] {
      for bit in 0..<8 * file.count {
        var damaged = file
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
        if let array = try? read(damaged) { #expect(array.bytes == IDXFixture.elements) }
      }
    }
  }

  @Test func survivesRandomDamage() {
    var draws = CounterRandom(seed: 77, purpose: .synthetic).sequence()
    func draw(_ bound: Int) -> Int { Int(draws.integer(below: UInt64(bound))) }
    let files = [Self.plain, IDXFixture.compressed, IDXFixture.gzip(Self.plain, extra: [1, 0, 9])]
    for round in 0..<fuzzRounds(6000) {
      var file = files[round % 3]
      for _ in 0...draw(6) {
        let place = draw(file.count)
        switch draw(4) {
        case 0: file[place] = UInt8(draw(256))
        case 1: file.insert(UInt8(draw(256)), at: place)
        case 2: file.remove(at: place)
        default: file[place] ^= 1 << UInt8(draw(8))
        }
      }
      // Only that it ends, without a trap and without believing a length, is checked here.
      if let array = try? read(file, limit: 1 << 20) {
        #expect(array.bytes.count == array.dimensions.reduce(1, *))
      }
    }
  }
}
