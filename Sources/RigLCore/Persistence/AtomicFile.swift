internal import Synchronization

/// A file that appears whole or not at all.
///
/// What is written goes to a temporary file in the same folder; ``commit()`` waits until the disk has
/// it and gives it its name, replacing an older file of that name. A value that goes out of scope
/// without a commit, after an error for example, removes the temporary and leaves the older file
/// alone. What a killed process leaves behind is removed by ``removeStaleTemporaries(in:)``.
package struct AtomicFile: ~Copyable {
  /// The path that the file will have.
  package let path: String
  /// Bytes written so far, counting gaps that writing at an offset has left.
  package private(set) var size = 0

  private let temporary: String
  private let file: OpenFile
  /// The permissions of the file that is replaced, for the new one; nil: those of new files.
  private let mode: UInt32?
  private var isPending = true

  /// Starts a file that will replace whatever file is at `path`, and may be read and written by
  /// those who may do so with the older one.
  ///
  /// - Parameters:
  ///   - path: the path of the file.
  ///   - followsLinks: whether a link stays one, and the file that it leads to is replaced; otherwise
  ///     the link itself is, as in the folder of a run, whose files are its own.
  /// - Throws: `RigLError(.write)` if something else than a file is there, such as a folder or a
  ///   device, or its folder cannot be written.
  package init(replacing path: String, followsLinks: Bool = true) throws(RigLError) {
    let item = FileSystem.item(path, followsLinks: followsLinks)
    if item == .folder || item == .other {
      let kind = item == .folder ? "a folder" : "no regular file"
      throw RigLError(.write, "\(path): cannot be written: it is \(kind)")
    }
    let path = item == .file && followsLinks ? FileSystem.real(path) : path
    (file, temporary) = try AtomicFile.makeTemporary(for: path)
    self.path = path
    mode = FileSystem.mode(ofFile: path).map { UInt32($0) }
    // At once, so that nobody reads what is secret meanwhile; but those who remove what a killed
    // process left must be able to open it.
    if let mode { file.setMode(numericCast(mode | 0o600)) }
  }

  deinit {
    if isPending { try? FileSystem.remove(file: temporary) }
  }

  /// Writes bytes at the end.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example.
  package mutating func write(_ bytes: RawSpan) throws(RigLError) {
    try write(bytes, at: size)
  }

  /// Writes bytes at an offset; what is skipped reads as zeros.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example.
  package mutating func write(_ bytes: RawSpan, at offset: Int) throws(RigLError) {
    trap(unless: offset >= 0, "AtomicFile: offset \(offset)")
    try naming(.write, "\(path): cannot be written", hint: AtomicFile.hint) {
      () throws(SystemError) in try file.write(bytes, at: offset)
    }
    size = max(size, offset + bytes.byteCount)
  }

  /// Writes bytes at the end.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example.
  package mutating func write(_ bytes: [UInt8]) throws(RigLError) {
    try write(bytes, at: size)
  }

  /// Writes bytes at an offset; what is skipped reads as zeros.
  ///
  /// - Throws: `RigLError(.write)`: no space, for example.
  package mutating func write(_ bytes: [UInt8], at offset: Int) throws(RigLError) {
    try write(unsafe bytes.span.bytes, at: offset)
  }

  /// Gives the file its name, once the disk has all of it.
  ///
  /// - Throws: `RigLError(.write)`; an older file of that name is then still there.
  package consuming func commit() throws(RigLError) {
    if let mode { file.setMode(numericCast(mode)) }
    try naming(.write, "\(path): cannot be written", hint: AtomicFile.hint) {
      () throws(SystemError) in try file.synchronize()
    }
    try naming(.write, "\(path): cannot be given its name") { () throws(SystemError) in
      try FileSystem.rename(temporary, to: path)
    }
    isPending = false
    let folder = FileSystem.split(path).folder
    try naming(.write, "\(folder): cannot be written to disk") { () throws(SystemError) in
      try FileSystem.synchronize(folder: folder)
    }
  }

  private static let hint = "Free some space, or choose another folder. Nothing was replaced."
}

extension AtomicFile {
  /// Writes a whole file.
  ///
  /// - Throws: `RigLError(.write)`; an older file of that name is then still there.
  package static func write(
    _ bytes: [UInt8], to path: String, followsLinks: Bool = true
  ) throws(RigLError) {
    var file = try AtomicFile(replacing: path, followsLinks: followsLinks)
    try file.write(bytes)
    try file.commit()
  }

  /// Writes a whole file of UTF-8.
  ///
  /// - Throws: `RigLError(.write)`; an older file of that name is then still there.
  package static func write(
    _ text: String, to path: String, followsLinks: Bool = true
  ) throws(RigLError) {
    try write(Array(text.utf8), to: path, followsLinks: followsLinks)
  }

  /// Removes the temporaries that killed processes have left in a folder.
  ///
  /// A temporary that is being written, here or in another process, stays.
  ///
  /// - Returns: the names of what was removed, sorted.
  /// - Throws: `RigLError(.missingFile)` if the folder cannot be read.
  @discardableResult
  package static func removeStaleTemporaries(in folder: String) throws(RigLError) -> [String] {
    let names = try naming(.missingFile, "\(folder): cannot be read") { () throws(SystemError) in
      try FileSystem.names(in: folder)
    }
    return names.filter { name in
      guard let writer = writer(ofTemporary: name) else { return false }
      let path = "\(folder)/\(name)"
      guard FileSystem.item(path) == .file, let file = try? OpenFile(path, .lock) else {
        return false
      }
      switch file.tryLock() {
      case .taken: break
      case .heldByAnother: return false
      // Without locks the number of the process must do; another may have it by now.
      case .unsupported: if FileSystem.isRunning(process: writer) { return false }
      }
      return (try? FileSystem.remove(file: path)) != nil
    }
  }

  /// Opens a temporary, `.NAME.tmp-PROCESS-NUMBER`, and holds its lock for as long as it is open.
  ///
  /// The lock tells a file that is being written from one that a killed process has left; process
  /// numbers are used again, in containers after every start.
  private static func makeTemporary(
    for path: String
  ) throws(RigLError) -> (file: OpenFile, path: String) {
    // Reports what is too long by the name that the file should have, not the temporary's.
    try naming(.write, "\(path): cannot be created") { () throws(SystemError) in
      try FileSystem.requireLength(path)
    }
    while true {
      let temporary = temporaryPath(for: path)
      let file: OpenFile
      do throws(SystemError) {
        file = try OpenFile(temporary, .create)
        // Between its creation and the lock, another process may have taken it for a stale one.
        if file.tryLock() == .heldByAnother { continue }
        if try !file.hasName() { continue }
      } catch {
        // Left by a process that had this one's number.
        if error.meansExists { continue }
        throw RigLError(.write, "\(path): cannot be created: \(error.text)")
      }
      return (file, temporary)
    }
  }

  /// A path beside another one that this process has not used yet, `.NAME.tmp-PROCESS-NUMBER`.
  static func temporaryPath(for path: String) -> String {
    let (folder, name) = FileSystem.split(path)
    let number = temporaries.add(1, ordering: .relaxed).newValue
    // Names have 255 bytes at the most, on some file systems 143.
    let short = String(decoding: name.utf8.prefix(100), as: UTF8.self)
    return "\(folder)/.\(short).tmp-\(FileSystem.process)-\(number)"
  }

  /// The process in a temporary's name, or nil if the name is not a temporary's.
  static func writer(ofTemporary name: String) -> Int32? {
    guard name.hasPrefix("."), let dot = name.lastIndex(of: ".") else { return nil }
    let suffix = name[name.index(after: dot)...].split(
      separator: "-", omittingEmptySubsequences: false)
    guard dot > name.startIndex, suffix.count == 3, suffix[0] == "tmp", Int(suffix[2]) != nil else {
      return nil
    }
    return Int32(suffix[1])
  }
}

/// Temporaries that this process has made. No name is ever used twice, so that whoever removes a stale
/// one cannot hit a new one of the same name.
private let temporaries = Atomic<Int>(0)
