/// What a folder holds under one name.
package struct FolderEntry: Hashable, Sendable {
  /// Its name, with the bytes that it has; what is not UTF-8 in it is escaped.
  package let name: String
  /// Whether the entry is a folder, or a link to one.
  package let isFolder: Bool
  /// Whether its name is UTF-8.
  package let isNamed: Bool

  /// Whether the entry's name says that it is a JPEG or PNG file.
  package var isPhoto: Bool { !isFolder && PictureFormat.isRead(named: name) }

  /// All that a folder holds, in the order of their names' bytes, without hidden ones.
  ///
  /// - Throws: `missingFile` if it cannot be read, `data` if a folder or photo has a name that is not
  ///   UTF-8: it could neither be shown nor saved.
  package static func all(in folder: String) throws(RigLError) -> [FolderEntry] {
    let entries = try naming(.missingFile, folder) { () throws(SystemError) in
      try FileSystem.entries(in: folder)
    }
    for entry in entries where !entry.isNamed && (entry.isFolder || entry.isPhoto) {
      throw RigLError(
        .data, "\(folder)/\(entry.name): the name is not UTF-8",
        hint: "Rename it, for example by convmv -f latin1 -t utf8 --notest.")
    }
    return entries
  }
}
