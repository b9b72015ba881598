/// The connections of a layer as a text file lists them: Matrix Market, whose coordinates are from
/// 1, or CSV with a header, from 0.
///
/// A row is an output, a column an input; of a convolution the place among input · k · k. Lines stand
/// in any order.
struct ConnectionTable {
  /// A layer's sizes.
  struct Size {
    let name: String
    let outputs: Int
    let inputs: Int
  }

  /// The position (output · inputs + input) of each connection.
  private(set) var positions: [Int64] = []
  /// The weight of each; empty where the file has none.
  private(set) var values: [Float] = []

  private let size: Size
  private var lines: LineReader
  /// The number of the first row and column.
  private var first = 0
  private var hasValues = false
  /// A position whose lines are looked for, and those found.
  private var wanted: Int64?
  private var found: [Int] = []

  /// Reads a file.
  ///
  /// - Throws: `RigLError(.missingFile)` if it cannot be read; `.data` for a line that is none,
  ///   positions outside the layer, or twice.
  init(matrixMarket path: String, _ size: Size) throws(RigLError) {
    try self.init(path, size)
    try readMatrixMarket()
    guard try sort() else { return }
    var again = try ConnectionTable(path, size)
    again.wanted = repeated
    try again.readMatrixMarket()
    throw problem(ofLines: again.found)
  }

  /// Reads a file; throws as reading Matrix Market.
  init(csv path: String, _ size: Size) throws(RigLError) {
    try self.init(path, size)
    try readCSV()
    guard try sort() else { return }
    var again = try ConnectionTable(path, size)
    again.wanted = repeated
    try again.readCSV()
    throw problem(ofLines: again.found)
  }

  private init(_ path: String, _ size: Size) throws(RigLError) {
    self.size = size
    lines = try LineReader(path)
  }

  // MARK: - Formats

  private mutating func readMatrixMarket() throws(RigLError) {
    first = 1
    guard try lines.advance() else { throw isEmpty() }
    hasValues = try readBanner()
    var sizes: [Int] = []
    while sizes.isEmpty {
      guard try lines.advance() else {
        throw lines.problem("the file ends before the line of rows, columns and entries")
      }
      if isComment { continue }
      sizes = try wholeNumbers(3, "rows, columns and entries")
    }
    try requireShape(sizes[0], sizes[1])
    let declared = sizes[2]
    guard declared <= size.outputs * size.inputs else {
      throw lines.problem(
        "\(declared) entries, more than the \(size.outputs * size.inputs) positions of layer "
          + size.name)
    }
    // An entry takes four bytes at the least: what is declared beyond is not there.
    reserve(min(declared, lines.size / 4))
    var entries = 0
    while try lines.advance() {
      if isComment { continue }
      entries += 1
      guard entries <= declared else {
        throw lines.problem("an entry more than the \(declared) that the file declares")
      }
      try readEntry(separator: nil)
    }
    guard entries == declared else {
      throw RigLError(
        .data, "\(lines.path): ends after \(entries) of \(declared) entries",
        hint: "Was it written whole?")
    }
  }

  /// What the first line says: whether there are values.
  private func readBanner() throws(RigLError) -> Bool {
    let words = lines.text.lowercased().split { $0 == " " || $0 == "\t" }.map(String.init)
    guard words.first == "%%matrixmarket", words.count == 5, words[1] == "matrix" else {
      throw lines.problem(
        "not the first line of a Matrix Market file: '\(lines.text)'",
        hint: "It is: %%MatrixMarket matrix coordinate real general (or pattern).")
    }
    func refuse(_ word: String, _ possible: String) -> RigLError {
      lines.problem("a Matrix Market file of kind '\(word)', which is not read", hint: possible)
    }
    guard words[2] == "coordinate" else {
      throw refuse(words[2], "Write it as: coordinate.")
    }
    guard ["real", "integer", "pattern"].contains(words[3]) else {
      throw refuse(words[3], "Possible: real, integer, pattern.")
    }
    guard words[4] == "general" else {
      throw refuse(words[4], "Write every position by itself: general.")
    }
    return words[3] != "pattern"
  }

  private mutating func readCSV() throws(RigLError) {
    var isHeader = true
    while try lines.advance() {
      if isBlank { continue }
      guard isHeader else {
        try readEntry(separator: UInt8(ascii: ","))
        continue
      }
      isHeader = false
      hasValues = try readHeader()
      reserve(min(size.outputs * size.inputs, lines.size / 4))
    }
    if isHeader { throw isEmpty() }
  }

  /// What the header says: whether there are values.
  private func readHeader() throws(RigLError) -> Bool {
    let words = lines.text.lowercased().split(separator: ",", omittingEmptySubsequences: false)
      .map { $0.filter { $0 != " " && $0 != "\"" && $0 != "\t" } }
    let names = [["row", "output"], ["column", "col", "input"], ["value", "weight"]]
    if (2...3).contains(words.count), zip(words, names).allSatisfy({ $1.contains($0) }) {
      return words.count == 3
    }
    let isNumber = words.first.flatMap { Int($0) } != nil
    throw lines.problem(
      isNumber
        ? "a header is missing: '\(lines.text)'" : "not the header of connections: '\(lines.text)'",
      hint: "The first line is row,column or row,column,value; rows and columns are from 0.")
  }

  // MARK: - Lines

  private mutating func readEntry(separator: UInt8?) throws(RigLError) {
    var place = lines.line.lowerBound
    let row = try wholeNumber(at: &place, separator, "a row")
    let column = try wholeNumber(at: &place, separator, "a column")
    guard (first..<(first + size.outputs)).contains(row),
      (first..<(first + size.inputs)).contains(column)
    else { throw outside(row, column) }
    let position = Int64(row - first) * Int64(size.inputs) + Int64(column - first)
    if let wanted {
      if position == wanted { found.append(lines.number) }
      return
    }
    if hasValues { values.append(try value(at: &place, separator)) }
    guard field(at: &place, separator).isEmpty, place > lines.line.upperBound else {
      throw lines.problem(
        "'\(lines.text)': more than a row, a column\(hasValues ? " and a value" : "")")
    }
    positions.append(position)
  }

  /// The bytes of the next field, and the place after what ends it.
  private func field(at place: inout Int, _ separator: UInt8?) -> Range<Int> {
    let end = lines.line.upperBound
    while place < end, isSpace(lines.block[place]) { place += 1 }
    let begin = place
    while place < end, !ends(lines.block[place], separator) { place += 1 }
    var last = place
    while last > begin, isSpace(lines.block[last - 1]) { last -= 1 }
    // What stands between fields that blanks separate, is before the next one.
    if separator == nil {
      while place < end, isSpace(lines.block[place]) { place += 1 }
      if place == end { place += 1 }
    } else {
      place += 1
    }
    return begin..<last
  }

  private func ends(_ byte: UInt8, _ separator: UInt8?) -> Bool {
    if let separator { return byte == separator }
    return isSpace(byte)
  }

  private func wholeNumber(
    at place: inout Int, _ separator: UInt8?, _ what: String
  ) throws(RigLError) -> Int {
    let field = field(at: &place, separator)
    var number = 0
    for index in field {
      let digit = Int(lines.block[index]) - Int(UInt8(ascii: "0"))
      guard (0...9).contains(digit), number < Int.max / 20 else {
        throw notANumber(field, "is no whole number for \(what)")
      }
      number = 10 * number + digit
    }
    if field.isEmpty { throw lines.problem("'\(lines.text)': \(what) is missing") }
    return number
  }

  private func value(at place: inout Int, _ separator: UInt8?) throws(RigLError) -> Float {
    let field = field(at: &place, separator)
    guard !field.isEmpty else { throw lines.problem("'\(lines.text)': a value is missing") }
    let text = String(decoding: lines.block[field], as: UTF8.self)
    guard let value = Float(text) else { throw notANumber(field, "is not a number") }
    guard value.isFinite else { throw notANumber(field, "is not a finite number") }
    return value
  }

  private func wholeNumbers(_ count: Int, _ what: String) throws(RigLError) -> [Int] {
    var place = lines.line.lowerBound
    var numbers: [Int] = []
    while numbers.count < count {
      numbers.append(try wholeNumber(at: &place, nil, what))
    }
    guard field(at: &place, nil).isEmpty else {
      throw lines.problem("'\(lines.text)': more than \(what)")
    }
    return numbers
  }

  private var isBlank: Bool { lines.line.allSatisfy { isSpace(lines.block[$0]) } }

  private var isComment: Bool {
    isBlank || lines.block[lines.line.lowerBound] == UInt8(ascii: "%")
  }

  private func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
  }

  private mutating func reserve(_ count: Int) {
    positions.reserveCapacity(count)
    if hasValues { values.reserveCapacity(count) }
  }

  // MARK: - Order

  /// Brings positions, and values with them, into increasing order.
  ///
  /// - Returns: whether a position is there twice.
  private mutating func sort() throws(RigLError) -> Bool {
    guard !positions.isEmpty else {
      throw RigLError(
        .data, "\(lines.path): has no positions; layer \(size.name) needs one at the least")
    }
    guard !isIncreasing else { return false }
    if values.isEmpty {
      positions.sort()
    } else {
      var pairs = zip(positions, values).map { (position: $0, value: $1) }
      pairs.sort { $0.position < $1.position }
      for (index, pair) in pairs.enumerated() {
        (positions[index], values[index]) = (pair.position, pair.value)
      }
    }
    return !isIncreasing
  }

  private var isIncreasing: Bool {
    for index in 1..<max(positions.count, 1) where positions[index - 1] >= positions[index] {
      return false
    }
    return true
  }

  /// A position that is there twice, of those sorted.
  private var repeated: Int64? {
    zip(positions, positions.dropFirst()).first { $0 == $1 }?.0
  }

  // MARK: - What is wrong

  private func isEmpty() -> RigLError {
    RigLError(.data, "\(lines.path): is empty", hint: GivenConnections.formats)
  }

  private func problem(ofLines lines: [Int]) -> RigLError {
    let place = repeated ?? 0
    let (row, column) = (Int(place) / size.inputs + first, Int(place) % size.inputs + first)
    return RigLError(
      .data,
      "\(self.lines.path), lines \(enumeration(lines.prefix(2).map { "\($0)" })): row \(row), "
        + "column \(column) of layer \(size.name) is there twice",
      hint: "Give each position once.")
  }

  private func outside(_ row: Int, _ column: Int) -> RigLError {
    lines.problem(
      "row \(row), column \(column) is outside layer \(size.name): rows are "
        + "\(first)...\(first + size.outputs - 1), columns \(first)...\(first + size.inputs - 1)",
      hint: "A row is an output, a column an input; of a convolution, the place in input x k x k. "
        + "Counted from \(first).")
  }

  private func notANumber(_ field: Range<Int>, _ what: String) -> RigLError {
    lines.problem("'\(shortened(String(decoding: lines.block[field], as: UTF8.self)))' \(what)")
  }

  private func requireShape(_ rows: Int, _ columns: Int) throws(RigLError) {
    guard rows != size.outputs || columns != size.inputs else { return }
    throw lines.problem(
      "a matrix of \(rows) x \(columns); layer \(size.name) is \(size.outputs) x \(size.inputs), "
        + "outputs x inputs",
      hint: rows == size.inputs && columns == size.outputs ? "Transpose it." : nil)
  }
}
