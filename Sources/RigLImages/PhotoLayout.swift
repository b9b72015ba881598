import RigLCore

/// How a folder of photos is laid out: by parts (`train/CLASS/…`, `val/CLASS/…`), or by class alone.
///
/// The folders' contents say which, not their names alone: a folder `train` that holds photos is a
/// class of trains, one that holds folders is a part.
struct PhotoLayout: Hashable, Sendable {
  /// The folder of each part that there is; none: the folders are classes.
  private(set) var parts: [Part: String] = [:]
  /// The folders beside the parts that are not looked at, a line each.
  private(set) var remarks: [String] = []

  /// The part of a set that a folder's photos are for.
  enum Part: String, CaseIterable, Sendable {
    case train, validation, test

    /// The names that the part's folder may have.
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
