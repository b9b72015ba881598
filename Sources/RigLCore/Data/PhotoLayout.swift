/// How a folder of photos is laid out: by parts (`train/CLASS/…`, `val/CLASS/…`), or by class alone.
///
/// The folders' contents say which, not their names alone: a folder `train` that holds photos is a
/// class of trains, one that holds folders is a part.
struct PhotoLayout: Hashable, Sendable {
  /// The folder of each part that there is; none: the folders are classes.
  private(set) var parts: [Part: String] = [:]
  /// What beside the parts is not looked at.
  private(set) var remarks: [String] = []

  /// What photos are for.
  enum Part: String, CaseIterable, Sendable {
    case train, validation, test

    /// What its folder may be called.
    var names: [String] {
      switch self {
      case .train: ["train", "training"]
      case .validation: ["val", "valid", "validation", "dev"]
      case .test: ["test", "testing"]
      }
    }
  }

  /// Looks at a folder.
  ///
  /// - Throws: `missingFile` if it cannot be read, `data` if two of its folders are for the same.
  init(of path: String) throws(RigLError) {
    let all = try FolderEntry.all(in: path)
    let entries = all.filter(\.isFolder)
    var found: [Part: [String]] = [:]
    for entry in entries {
      let part = Part.allCases.first { $0.names.contains(entry.name.lowercased()) }
      guard let part, try PhotoLayout.holdsClasses("\(path)/\(entry.name)") else { continue }
      found[part, default: []].append(entry.name)
    }
    guard !found.isEmpty else { return }
    if found[.train] == nil {
      // Photos to test on alone; between folders of classes, one of these with a mistake.
      let parts = found.values.joined()
      for entry in entries where !parts.contains(entry.name) {
        if try PhotoLayout.holdsPhotos("\(path)/\(entry.name)") { return }
      }
    }
    for (part, names) in found {
      guard names.count == 1 else {
        throw RigLError(
          .data,
          "\(path): \(names.joined(separator: " and ")) are both folders of parts for "
            + (part == .train ? "training" : part == .test ? "testing" : part.rawValue),
          hint: "Keep one of them, or move one out.")
      }
      parts[part] = names[0]
    }
    let used = Set(parts.values)
    var unused = UnusedFiles(path, beside: "its parts", folders: "beside its parts")
    for entry in all where !used.contains(entry.name) { unused.add(entry) }
    remarks = unused.remarks
  }

  private static func holdsPhotos(_ path: String) throws(RigLError) -> Bool {
    try FolderEntry.all(in: path).contains { $0.isPhoto }
  }

  /// Whether a folder holds folders; where it holds photos too, folders of photos.
  private static func holdsClasses(_ path: String) throws(RigLError) -> Bool {
    let entries = try FolderEntry.all(in: path)
    let hasPhotos = entries.contains { $0.isPhoto }
    for entry in entries where entry.isFolder {
      if !hasPhotos { return true }
      if try holdsPhotos("\(path)/\(entry.name)") { return true }
    }
    return false
  }
}

/// What a folder holds under one name.
struct FolderEntry: Hashable, Sendable {
  /// Its name, with the bytes that it has; what is not UTF-8 in it is escaped.
  let name: String
  /// Whether it is a folder, or a link to one.
  let isFolder: Bool
  /// Whether its name is UTF-8.
  let isNamed: Bool

  /// Whether its name says that it is a JPEG or PNG file.
  var isPhoto: Bool { !isFolder && PhotoDecoder.isPhoto(named: name) }

  /// All that a folder holds, in the order of their names' bytes, without hidden ones.
  ///
  /// - Throws: `missingFile` if it cannot be read, `data` if a folder or photo has a name that is not
  ///   UTF-8: it could neither be shown nor saved.
  static func all(in folder: String) throws(RigLError) -> [FolderEntry] {
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

/// "1 file", "3 files".
func counted(_ count: Int, _ what: String, plural: String? = nil) -> String {
  "\(count) \(count == 1 ? what : plural ?? what + "s")"
}

/// The first few of many names, for a message of which they are a detail.
package func firstOf(_ names: [String], most: Int = 5) -> String {
  let more = names.count - most
  return names.prefix(most).joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
}
