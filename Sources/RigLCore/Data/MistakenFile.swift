/// Names what a file or a folder is that was given in the place of another.
package enum MistakenFile {
  /// Throws where a file is in the place of a folder of data, or what cannot be read is in it.
  package static func requireNoFile(at path: String) throws(RigLError) {
    if fileExists(at: path) {
      throw RigLError(.missingFile, "\(path): not a folder", hint: hint(forData: path))
    }
    if isPythonCIFAR(path), CIFARFolder.kind(at: path) == nil {
      throw RigLError(.missingFile, "\(path): holds no binary files", hint: hint(forData: path))
    }
  }

  /// Throws where a folder of data has nothing in it, or pictures that lie in no folder of a class.
  static func requireClasses(at path: String) throws(RigLError) {
    guard let entries = try? FolderEntry.all(in: path) else { return }
    let layout =
      "Photos lie in a folder for each class: CLASS/NAME.jpg (or .png), or train/CLASS/… and "
      + "test/CLASS/…."
    if entries.isEmpty {
      throw RigLError(
        .missingFile, "\(path): the folder is empty",
        hint: "\(layout) Other data: IDX files as MNIST's, or CIFAR's binary files.")
    }
    let pictures = entries.count { $0.isPhoto }
    guard pictures > 0, !entries.contains(where: \.isFolder) else { return }
    throw RigLError(
      .missingFile,
      "\(path): \(counted(pictures, "picture")), but no folders of classes", hint: layout)
  }

  /// What to do with a folder, or a file in its place, in which there are no samples; nil: unknown.
  package static func hint(forData path: String) -> String? {
    if fileExists(at: path) {
      let start = (try? FileSystem.contents(of: path, limit: 512)) ?? []
      if isArchive(start, name: path) {
        return "It is an archive: unpack it, and name the folder that comes out of it."
      }
      return hint(forContents: start[...]) ?? "It is a file: name the folder that it is in."
    }
    guard let names = try? folderNames(at: path) else { return nil }
    if isPythonCIFAR(path) {
      return "It is CIFAR's Python version: take the binary one, cifar-10-binary.tar.gz or "
        + "cifar-100-binary.tar.gz."
    }
    if let archive = names.first(where: { isArchive([], name: $0) }) {
      return "Unpack \(archive) first."
    }
    return nil
  }

  /// Whether a folder holds CIFAR as Python's pickles, or the folder that its archive unpacks to.
  private static func isPythonCIFAR(_ path: String) -> Bool {
    guard let names = try? folderNames(at: path) else { return false }
    return names.contains("cifar-10-batches-py") || names.contains("cifar-100-python")
      || names.contains { $0.hasPrefix("data_batch_") && !$0.contains(".") }
      || Set(names).isSuperset(of: ["meta", "test", "train"]) && fileExists(at: "\(path)/train")
  }

  /// What to do with a file of these first bytes, where samples or weights are wanted; nil: unknown.
  static func hint(forContents start: ArraySlice<UInt8>) -> String? {
    if start.starts(with: Array("version https://git-lfs".utf8)) { return pointerHint }
    if start.starts(with: [0x93] + Array("NUMPY".utf8)) {
      return "It is a NumPy array: write it as text by numpy.savetxt(path, array.reshape(n, -1))."
    }
    if start.starts(with: Array("PK\u{3}\u{4}".utf8)) {
      return "It is a ZIP archive (.npz, .pt and .pth files are ones, too)."
    }
    if start.starts(with: [0x89] + Array("HDF\r\n".utf8)) { return "It is an HDF5 file." }
    if start.starts(with: Array("PAR1".utf8)) { return "It is a Parquet file." }
    if start.first == 0x80, start.dropFirst().first.map({ (2...5).contains($0) }) ?? false {
      return "It is a Python pickle."
    }
    return nil
  }

  /// A file that Git LFS has not fetched yet.
  static func pointer(_ path: String) -> RigLError {
    RigLError(.data, "\(path): a Git LFS pointer, not the file itself", hint: pointerHint)
  }

  /// Whether a file is what Git LFS leaves in the place of one that it has not fetched yet.
  static func isPointer(_ file: Span<UInt8>) -> Bool {
    let start = Array("version https://git-lfs".utf8)
    return file.count < 1024 && file.count >= start.count
      && start.indices.allSatisfy { file[$0] == start[$0] }
  }

  static let pointerHint = "Fetch the file that it stands for: git lfs pull"

  /// What to do with an archive or a compressed file in the place of a file of samples; nil: it is
  /// neither. A gzip file alone is none, as IDX files come so.
  static func hint(forSamples start: ArraySlice<UInt8>, name: String) -> String? {
    let isGzip = start.starts(with: [0x1F, 0x8B])
    guard isArchive(isGzip ? [] : Array(start), name: name) else { return nil }
    return "It is an archive, or compressed: unpack it, and name the files that come out of it."
  }

  private static func isArchive(_ start: [UInt8], name: String) -> Bool {
    let endings = [
      ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip", ".7z", ".rar",
    ]
    let name = name.lowercased()
    if endings.contains(where: { name.hasSuffix($0) }) { return true }
    let marks: [[UInt8]] = [
      [0x1F, 0x8B], Array("PK\u{3}\u{4}".utf8), Array("BZh".utf8),
      [0xFD, 0x37, 0x7A, 0x58, 0x5A], [0x28, 0xB5, 0x2F, 0xFD], [0x37, 0x7A, 0xBC, 0xAF],
      Array("Rar!".utf8),
    ]
    return marks.contains { start.starts(with: $0) }
      || start.count > 262 && start[257...].starts(with: Array("ustar".utf8))
  }
}
