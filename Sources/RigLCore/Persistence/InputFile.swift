/// A regular file that is read piece by piece; every error names it.
struct InputFile: Sendable {
  /// The path of the file.
  let path: String
  /// The size of the file, bytes.
  let size: Int
  private let file: OpenFile

  /// Opens a file.
  ///
  /// - Throws: `RigLError(.missingFile)` if it cannot be read, or is no regular file.
  init(_ path: String) throws(RigLError) {
    let (file, size) = try naming(.missingFile, InputFile.problem(path)) {
      () throws(SystemError) in
      let file = try OpenFile(path, .read)
      return (file, try file.size())
    }
    guard let size else {
      throw RigLError(.missingFile, "\(InputFile.problem(path)): it is not a file")
    }
    (self.path, self.file, self.size) = (path, file, size)
  }

  private static func problem(_ path: String) -> String { "\(path): cannot be read" }

  /// Fills `bytes` from `offset` on; returns how many there were, fewer only at the file's end.
  ///
  /// - Throws: `RigLError(.missingFile)` if the file cannot be read on.
  func read(into bytes: inout MutableRawSpan, at offset: Int) throws(RigLError) -> Int {
    do throws(SystemError) {
      return try file.read(into: &bytes, at: offset)
    } catch {
      throw RigLError(.missingFile, "\(InputFile.problem(path)): \(error.text)")
    }
  }
}
