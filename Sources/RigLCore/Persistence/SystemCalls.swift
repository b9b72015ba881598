// The system calls that files need: the only file of this folder with pointers and errno.

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A system call that failed: its errno.
package struct SystemError: Error {
  let code: Int32

  /// The errno of the call that has just failed.
  static var last: SystemError { SystemError(code: errno) }

  /// Whether a file could not be created because there is one.
  var meansExists: Bool { code == EEXIST }

  /// What the system calls the error: "No space left on device".
  package var text: String { unsafe String(cString: strerror(code)) }
}

/// Runs system calls and names the file in what they throw.
package func naming<Result: ~Copyable>(
  _ kind: RigLError.Kind, _ what: @autoclosure () -> String, hint: String? = nil,
  _ body: () throws(SystemError) -> Result
) throws(RigLError) -> Result {
  do throws(SystemError) {
    return try body()
  } catch {
    throw RigLError(kind, "\(what()): \(error.text)", hint: hint)
  }
}

/// An open file, closed when the last reference to it goes.
package final class OpenFile: Sendable {
  package enum Mode {
    /// An existing regular file, to read; never waits for the writer of a pipe.
    case read
    /// A file that does not exist yet, to write.
    case create
    /// An existing regular file that is not a link; what is written goes to its end.
    case append
    /// An existing file that is not a link, to take its lock.
    case lock
    /// A folder, to take its lock.
    case folderLock
  }

  private let descriptor: Int32

  package init(_ path: String, _ mode: Mode) throws(SystemError) {
    let flags =
      switch mode {
      case .read: O_RDONLY | O_NONBLOCK
      case .create: O_WRONLY | O_CREAT | O_EXCL
      case .append: O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK
      case .lock: O_RDWR | O_NOFOLLOW | O_NONBLOCK
      case .folderLock: O_RDONLY | O_DIRECTORY
      }
    descriptor = try retrying { unsafe open(path, flags | O_CLOEXEC, 0o666) }
  }

  deinit { close(descriptor) }

  /// Bytes in the file, or nil where it is not a regular file.
  package func size() throws(SystemError) -> Int? {
    var status = stat()
    _ = try retrying { unsafe fstat(descriptor, &status) }
    return status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
  }

  /// Fills `bytes` from `offset` on; returns how many there were, fewer only at the file's end.
  package func read(into bytes: inout MutableRawSpan, at offset: Int) throws(SystemError) -> Int {
    try unsafe bytes.withUnsafeMutableBytes { (buffer) throws(SystemError) in
      var done = 0
      while done < buffer.count {
        let (start, count) = (done, min(buffer.count - done, largestTransfer))
        let read = try retrying {
          unsafe pread(descriptor, buffer.baseAddress! + start, count, off_t(offset + start))
        }
        if read == 0 { break }
        done += read
      }
      return done
    }
  }

  /// Writes all of `bytes` at `offset`.
  func write(_ bytes: RawSpan, at offset: Int) throws(SystemError) {
    try unsafe bytes.withUnsafeBytes { (buffer) throws(SystemError) in
      var done = 0
      while done < buffer.count {
        let (start, count) = (done, min(buffer.count - done, largestTransfer))
        let written = try retrying {
          unsafe pwrite(descriptor, buffer.baseAddress! + start, count, off_t(offset + start))
        }
        // A device that takes nothing and reports nothing would keep this loop for ever.
        if written == 0 { throw SystemError(code: EIO) }
        done += written
      }
    }
  }

  /// Writes all of `bytes` at the end of a file that was opened to append.
  package func append(_ bytes: RawSpan) throws(SystemError) {
    try unsafe bytes.withUnsafeBytes { (buffer) throws(SystemError) in
      var done = 0
      while done < buffer.count {
        let (start, count) = (done, buffer.count - done)
        #if canImport(Glibc)
          let written = try retrying {
            unsafe Glibc.write(descriptor, buffer.baseAddress! + start, count)
          }
        #elseif canImport(Musl)
          let written = try retrying {
            unsafe Musl.write(descriptor, buffer.baseAddress! + start, count)
          }
        #else
          let written = try retrying {
            unsafe Darwin.write(descriptor, buffer.baseAddress! + start, count)
          }
        #endif
        if written == 0 { throw SystemError(code: EIO) }
        done += written
      }
    }
  }

  /// Sets who may read and write the file; some file systems know nothing of that.
  func setMode(_ mode: mode_t) { _ = fchmod(descriptor, mode) }

  /// Cuts the file to `size` bytes.
  package func truncate(to size: Int) throws(SystemError) {
    _ = try retrying { ftruncate(descriptor, off_t(size)) }
  }

  /// Waits until the disk has what was written.
  package func synchronize() throws(SystemError) {
    #if canImport(Darwin)
      // fsync on macOS leaves the data in the drive's cache.
      if fcntl(descriptor, F_FULLFSYNC) == 0 { return }
    #endif
    do throws(SystemError) {
      _ = try retrying { fsync(descriptor) }
    } catch {
      // Some file systems cannot do this for a folder; there is nothing better to ask of them.
      guard error.code == EINVAL || error.code == ENOTSUP else { throw error }
    }
  }

  /// The outcome of ``tryLock()``.
  package enum Lock {
    case taken, heldByAnother, unsupported
  }

  /// Takes the file's lock, hardly waiting; the system releases it when the process ends.
  ///
  /// A process that another thread is just starting has all files of this one, and their locks, until it
  /// runs its own program: a lock that was given up is free a moment later.
  package func tryLock() -> Lock {
    var attempts = 20
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EWOULDBLOCK {
        attempts -= 1
        guard attempts > 0 else { return .heldByAnother }
        usleep(10_000)
      } else if errno != EINTR {
        return .unsupported
      }
    }
    return .taken
  }

  /// Whether the file still has a name in a folder.
  func hasName() throws(SystemError) -> Bool {
    var status = stat()
    _ = try retrying { unsafe fstat(descriptor, &status) }
    return status.st_nlink > 0
  }
}

/// macOS refuses transfers of 2 GiB and more; Linux cuts them short by itself.
private let largestTransfer = 1 << 30

/// Calls again after signals; throws errno where the call returns -1.
private func retrying<Value: SignedInteger>(_ call: () -> Value) throws(SystemError) -> Value {
  while true {
    let value = call()
    if value >= 0 { return value }
    guard errno == EINTR else { throw .last }
  }
}

/// Names in a file system.
package enum FileSystem {
  /// The kind of thing at a path; a link only where links are not followed.
  package enum Item { case nothing, file, folder, link, other }

  package static func item(_ path: String, followsLinks: Bool = true) -> Item {
    guard let status = status(path, followsLinks: followsLinks) else { return .nothing }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .folder
    case S_IFLNK: return .link
    default: return .other
    }
  }

  /// Bytes of a file, links followed; nil if it is not there.
  package static func size(of path: String) -> Int? { status(path).map { Int($0.st_size) } }

  /// The permissions of the regular file at a path; nil if there is none.
  static func mode(ofFile path: String) -> mode_t? {
    guard let status = status(path, followsLinks: false), status.st_mode & S_IFMT == S_IFREG
    else { return nil }
    return status.st_mode & 0o777
  }

  /// Whether two paths lead to one and the same file, by whatever names.
  static func isSame(_ path: String, _ other: String) -> Bool {
    guard let one = status(path), let two = status(other) else { return false }
    return one.st_dev == two.st_dev && one.st_ino == two.st_ino
  }

  /// Throws if a path, or a name in it, is too long for the system.
  static func requireLength(_ path: String) throws(SystemError) {
    var found = stat()
    if unsafe lstat(path, &found) != 0, errno == ENAMETOOLONG { throw .last }
  }

  private static func status(_ path: String, followsLinks: Bool = true) -> stat? {
    var found = stat()
    let result = unsafe followsLinks ? stat(path, &found) : lstat(path, &found)
    return result == 0 ? found : nil
  }

  /// The path without links; the same path if it leads nowhere.
  package static func real(_ path: String) -> String {
    guard let real = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(real) }
    return unsafe String(cString: real)
  }

  static func rename(_ old: String, to new: String) throws(SystemError) {
    #if canImport(Glibc)
      let result = unsafe Glibc.rename(old, new)
    #elseif canImport(Musl)
      let result = unsafe Musl.rename(old, new)
    #else
      let result = unsafe Darwin.rename(old, new)
    #endif
    if result != 0 { throw .last }
  }

  /// Removes a file; one that is not there is no error.
  package static func remove(file path: String) throws(SystemError) {
    if unsafe unlink(path) != 0 && errno != ENOENT { throw .last }
  }

  /// Removes an empty folder.
  static func remove(emptyFolder path: String) throws(SystemError) {
    if unsafe rmdir(path) != 0 { throw .last }
  }

  /// Makes a folder; returns false where something of that name exists already.
  package static func makeFolder(_ path: String) throws(SystemError) -> Bool {
    if unsafe mkdir(path, 0o777) == 0 { return true }
    // Some systems report a read-only or forbidden parent before the name that exists.
    let error = SystemError.last
    if error.code == EEXIST || item(path) != .nothing { return false }
    throw error
  }

  /// The names in a folder, sorted by their bytes, without `.` and `..`.
  static func names(in folder: String) throws(SystemError) -> [String] {
    guard let stream = unsafe opendir(folder) else { throw .last }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = unsafe readdir(stream) else {
        if errno != 0 { throw .last }
        break
      }
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
        unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(validatingCString: $0)
        }
      }
      // A name that is not UTF-8 is none of this library's.
      if let name, name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// What a folder holds, in the order of the names' bytes, without hidden names.
  package static func entries(in folder: String) throws(SystemError) -> [FolderEntry] {
    guard let stream = unsafe opendir(folder) else { throw .last }
    defer { unsafe closedir(stream) }
    var entries: [FolderEntry] = []
    while true {
      errno = 0
      guard let entry = unsafe readdir(stream) else {
        if errno != 0 { throw .last }
        break
      }
      let bytes = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { field in
        unsafe Array(field.prefix { $0 != 0 })
      }
      guard bytes.first != UInt8(ascii: ".") else { continue }
      let name = String(validating: bytes, as: UTF8.self)
      // What the system does not say in passing, a link's target above all, costs another call.
      let isFolder =
        switch Int32(unsafe entry.pointee.d_type) {
        case Int32(DT_DIR): true
        case Int32(DT_REG): false
        default: name.map { item("\(folder)/\($0)") == .folder } ?? false
        }
      entries.append(
        FolderEntry(
          name: name ?? escaped(bytes), isFolder: isFolder, isNamed: name != nil))
    }
    return entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  /// A name that is not UTF-8, as it can be shown.
  private static func escaped(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
      byte >= 0x80 ? "\\x" + String(byte, radix: 16) : String(Unicode.Scalar(byte))
    }.joined()
  }

  /// Waits until the disk has the names of a folder.
  static func synchronize(folder: String) throws(SystemError) {
    let opened: OpenFile
    do throws(SystemError) {
      opened = try OpenFile(folder, .read)
    } catch {
      // One that may be written but not listed: nobody can wait for it.
      if error.code == EACCES { return }
      throw error
    }
    try opened.synchronize()
  }

  /// Whether a process of this number runs.
  static func isRunning(process: Int32) -> Bool {
    kill(process, 0) == 0 || errno != ESRCH
  }

  /// The number of this process.
  static var process: Int32 { getpid() }

  /// The folder part and the last part of a path.
  package static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", path) }
    let name = String(path[path.utf8.index(after: slash)...])
    let folder = String(path[..<slash])
    return (folder.isEmpty ? "/" : folder, name)
  }

  /// A whole file, at most `limit` bytes of it; files whose size the system does not know included.
  ///
  /// - Parameter size: how many bytes there probably are: where it is right, the memory is taken once.
  package static func contents(
    of path: String, size: Int = 0, limit: Int
  ) throws(SystemError) -> [UInt8] {
    let file = try OpenFile(path, .read)
    var contents: [UInt8] = []
    contents.reserveCapacity(min(size, limit))
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while contents.count < limit {
      var span = block.mutableSpan
      var bytes = unsafe span.mutableBytes
      let read = try file.read(into: &bytes, at: contents.count)
      contents.append(contentsOf: block[..<min(read, limit - contents.count)])
      if read < block.count { break }
    }
    return contents
  }
}
