import RigLCore

/// The names of many photos, by class, in little memory.
final class PhotoFiles: Sendable {
  /// The classes' folders, by label, as they are called here; empty where there is none.
  let folders: [String]
  /// The unused files and folders, a line for each reason.
  let remarks: [String]

  private let path: String
  /// All names, one after the other.
  private let names: [UInt8]
  /// Where each name ends.
  private let ends: [Int]
  private let labels: [Int32]

  var count: Int { ends.count }

  /// Lists the photos in the folders of classes.
  ///
  /// - Parameter classNames: the classes; nil: all folders there, by name, which must all have photos.
  init(path: String, classNames: [String]?) throws(RigLError) {
    let entries = try FolderEntry.all(in: path)
    let found = entries.filter(\.isFolder).map(\.name)
    guard !found.isEmpty else {
      throw RigLError(
        .data, "\(path): there are no folders of classes",
        hint: MistakenFile.hint(forData: path)
          ?? "Photos lie in a folder for each class: CLASS/NAME.jpg (or .png).")
    }
    try PhotoFiles.requireDistinct(found, path)
    // By what they look like: the same for all ways to write them.
    folders =
      try classNames.map { (classes) throws(RigLError) in
        try PhotoFiles.folders(found, of: classes, path)
      } ?? found.sorted()
    var (names, ends, labels): ([UInt8], [Int], [Int32]) = ([], [], [])
    var unused = UnusedFiles(path, beside: "the classes' folders", folders: "within classes")
    for entry in entries where !entry.isFolder { unused.add(entry, "") }
    for (label, folder) in folders.enumerated() where !folder.isEmpty {
      for entry in try FolderEntry.all(in: "\(path)/\(folder)") {
        guard entry.isPhoto else {
          unused.add(entry, folder)
          continue
        }
        names.append(contentsOf: entry.name.utf8)
        ends.append(names.count)
        labels.append(Int32(label))
      }
      if classNames == nil, labels.last != Int32(label) {
        throw RigLError(
          .data, "\(path)/\(folder): a class, but there are no images in it",
          hint: MistakenFile.hint(forData: path)
            ?? "Expected are files that end in .jpg, .jpeg or .png; or remove the folder.")
      }
    }
    guard !labels.isEmpty else {
      throw RigLError(
        .data, "\(path): there are no images in its classes",
        hint: "Expected are files that end in .jpg, .jpeg or .png.")
    }
    var remarks = unused.remarks
    let present = Set(labels)
    let missing = (classNames ?? []).enumerated().filter { !present.contains(Int32($0.offset)) }
    if !missing.isEmpty {
      remarks.append(
        "\(path): no images of \(counted(missing.count, "class", plural: "classes")) that the "
          + "training has: \(firstOf(missing.map(\.element)))")
    }
    (self.path, self.remarks) = (path, remarks)
    (self.names, self.ends, self.labels) = (names, ends, labels)
  }

  /// - Throws: `data` if two names look the same: one would stand for the other.
  private static func requireDistinct(_ found: [String], _ path: String) throws(RigLError) {
    var known: Set<String> = []
    for name in found where !known.insert(name).inserted {
      throw RigLError(
        .data, "\(path)/\(name): two folders have this name, written in different bytes",
        hint: "Put their images together in one, or give one another name.")
    }
  }

  /// The folder of each class, among those that were found.
  private static func folders(
    _ found: [String], of classNames: [String], _ path: String
  ) throws(RigLError) -> [String] {
    // Swift's strings are equal where they are canonically equivalent.
    let labels = Dictionary(
      classNames.enumerated().map { ($0.element, $0.offset) },
      uniquingKeysWith: { first, _ in first })
    var folders = [String](repeating: "", count: classNames.count)
    for name in found {
      guard let label = labels[name] else {
        let others = found.filter { labels[$0] == nil }
        throw RigLError(
          .data,
          others.count == 1
            ? "\(path)/\(name): a class that the training images do not have"
            : "\(path): \(others.count) classes that the training images do not have: "
              + firstOf(others),
          hint: "The folders should have the same classes.")
      }
      folders[label] = name
    }
    return folders
  }

  func label(of sample: Int) -> Int { Int(labels[sample]) }

  func path(of sample: Int) -> String { "\(path)/\(relativePath(of: sample))" }

  func relativePath(of sample: Int) -> String {
    let begin = sample == 0 ? 0 : ends[sample - 1]
    let name = String(decoding: names[begin..<ends[sample]], as: UTF8.self)
    return "\(folders[label(of: sample)])/\(name)"
  }
}
