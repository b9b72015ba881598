/// The pictures in a folder and the folders within it, in the order of their names' bytes.
///
/// Whether a file is a picture, its first bytes say. Hidden files and links to folders are passed
/// over.
package struct PictureListing {
  /// The files; also those whose names only say that they are pictures: to read them will say what
  /// they are.
  package private(set) var paths: [String] = []
  /// What lies there besides, a line; nil: nothing.
  package var remark: String? {
    others.isEmpty
      ? nil
      : "\(path): \(counted(others.count, "file")) left out, neither JPEG nor PNG: \(firstOf(others))"
  }

  private let path: String
  private var others: [String] = []
  private static let deepest = 16

  /// Whether there is a folder at a path.
  package static func isFolder(_ path: String) -> Bool { folderExists(at: path) }

  /// Lists a folder.
  ///
  /// - Throws: `missingFile` if a folder cannot be read, `data` where there are no pictures, or a name
  ///   is not UTF-8.
  package init(_ path: String) throws(RigLError) {
    self.path = path
    try list(path, below: "", depth: 0)
    guard paths.isEmpty else { return }
    throw RigLError(
      .data, "\(path): a folder without JPEG or PNG pictures",
      hint: MistakenFile.hint(forData: path)
        ?? "Samples of other kinds are named as files; rigl evaluate takes folders of data.")
  }

  private mutating func list(_ folder: String, below name: String, depth: Int) throws(RigLError) {
    let entries = try FolderEntry.all(in: folder)
    for entry in entries {
      let (path, name) = ("\(folder)/\(entry.name)", name + entry.name)
      if entry.isFolder {
        let isLink = FileSystem.item(path, followsLinks: false) == .link
        if !isLink, depth < PictureListing.deepest {
          try list(path, below: name + "/", depth: depth + 1)
        }
      } else if entry.isPhoto || entry.isNamed && SampleFile.isPicture(at: path) {
        paths.append(path)
      } else {
        others.append(name)
      }
    }
  }
}
