import RigLCore

/// Counts what lies in folders of photos and is not used.
struct UnusedFiles {
  private let path: String
  private let beside: String
  private let place: String
  private var kinds: [String: Int] = [:]
  private var photos = 0
  private var folders: [String] = []
  private var photosInFolders = 0

  /// Nothing yet.
  ///
  /// - Parameters:
  ///   - beside: what photos that have no class lie beside, as a message says it.
  ///   - folders: where folders that are not used lie.
  init(_ path: String, beside: String, folders: String) {
    (self.path, self.beside, place) = (path, beside, folders)
  }

  /// Counts something in the folder `folder`, or, where that is empty, beside the folders in use.
  mutating func add(_ entry: FolderEntry, _ folder: String = "") {
    if entry.isFolder {
      let name = folder.isEmpty ? entry.name : "\(folder)/\(entry.name)"
      folders.append(name)
      photosInFolders += UnusedFiles.photos(within: "\(path)/\(name)", depth: 8)
    } else if folder.isEmpty, entry.isPhoto {
      photos += 1
    } else {
      kinds[UnusedFiles.kind(of: entry.name), default: 0] += 1
    }
  }

  /// The number of photos in a folder and the folders in it, up to a depth; links are not followed.
  private static func photos(within folder: String, depth: Int) -> Int {
    // Also those whose names could not be used.
    guard depth > 0, let entries = try? FileSystem.entries(in: folder) else { return 0 }
    return entries.reduce(0) { count, entry in
      guard entry.isFolder else { return count + (entry.isPhoto ? 1 : 0) }
      let path = "\(folder)/\(entry.name)"
      guard FileSystem.item(path, followsLinks: false) == .folder else { return count }
      return count + photos(within: path, depth: depth - 1)
    }
  }

  /// The end of a name from its last dot on.
  private static func kind(of name: String) -> String {
    guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), dot > name.startIndex else {
      return "without an ending"
    }
    let ending = name[dot...].lowercased()
    return ending.utf8.count <= 12 ? ending : "of other kinds"
  }

  /// What was counted, a line for each reason.
  var remarks: [String] {
    var remarks: [String] = []
    if photos > 0 {
      remarks.append(
        "\(path): \(counted(photos, "photo")) beside \(beside) not used: no folder says "
          + "\(photos == 1 ? "its" : "their") class")
    }
    if !kinds.isEmpty {
      let sorted = kinds.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      let count = kinds.values.reduce(0, +)
      remarks.append(
        "\(path): \(counted(count, "file")) not used: "
          + firstOf(sorted.map { "\($0.value) \($0.key)" }) + "; only .jpg, .jpeg and .png are")
    }
    if !folders.isEmpty {
      remarks.append(
        "\(path): \(counted(folders.count, "folder")) \(place) not used, with "
          + "\(counted(photosInFolders, "photo")): \(firstOf(folders))")
    }
    return remarks
  }
}
