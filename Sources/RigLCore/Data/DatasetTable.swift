// The formats of data, and what a name or a folder is one of.

extension DatasetFormat {
  /// The formats that the library has, a line each. A folder is of the first that recognises it.
  package static let builtIn = [
    fashionMNIST,
    mnist,
    cifar10,
    cifar100,
    imageFiles,
    photos,
    synthetic,
    syntheticColor,
  ]

  private static let registered = Registered<[DatasetFormat]>([])

  /// Adds a format, in the place of one of that name if there is one.
  public static func register(_ format: DatasetFormat) {
    trap(
      unless: !format.name.isEmpty && format.name != Configuration.custom,
      "DatasetFormat: '\(format.name)' is no name for a format")
    registered.change { formats in
      formats.removeAll { $0.name == format.name }
      formats.append(format)
    }
  }

  /// Takes a format out that a program has added.
  package static func unregister(named name: String) {
    registered.change { formats in formats.removeAll { $0.name == name } }
  }

  /// All formats: those of the library, and those that a program has added.
  package static var all: [DatasetFormat] {
    let added = registered.value
    let known = builtIn.map { format in added.first { $0.name == format.name } ?? format }
    return known + added.filter { format in !builtIn.contains { $0.name == format.name } }
  }

  /// The format of a name; nil: there is none.
  package static func named(_ name: String) -> DatasetFormat? { all.first { $0.name == name } }

  /// The format that a folder says it holds, by the names in it; nil: none does.
  ///
  /// What a program has added is asked first: folders of folders pass for photos.
  static func recognized(inFolder path: String) -> DatasetFormat? {
    let formats = all
    return (formats.dropFirst(builtIn.count) + formats.prefix(builtIn.count)).first {
      $0.recognizes?(path) ?? false
    }
  }

  /// What a folder is taken for: IDX files where nothing else is recognised.
  static func ofFolder(_ path: String) -> DatasetFormat { recognized(inFolder: path) ?? imageFiles }

  /// Whether data of that name is known, and not the path of a folder.
  static func isName(_ name: String) -> Bool { named(name) != nil || name == Configuration.custom }

  /// The names for which no folder stands alone.
  package static var listedNames: [String] { all.filter(\.isListed).map(\.name) }

  /// What to do about a name that is neither data nor a folder.
  private static func hint(for name: String) -> String {
    let names = listedNames
    return (suggestion(for: name, in: names).map { "\($0) " } ?? "")
      + "Known: \(names.joined(separator: ", ")), and folders of IDX files named as MNIST's "
      + "(train-images-idx3-ubyte and so on), of CIFAR's binary files, or of images by class."
  }

  /// What to do about a folder of data that is not there.
  package static let movedHint =
    "If it has been moved, name it by data_folder: --data-folder PATH."

  /// The absolute path of the folder that stands in the place of a name.
  ///
  /// - Throws: `missingFile` for a path without a folder, `configuration` for what may be a
  ///   misspelt name.
  static func folder(named path: String, relativeTo base: String? = nil) throws(RigLError) -> String
  {
    let absolute = absolutePath(path, relativeTo: base)
    if !path.isEmpty, folderExists(at: absolute) { return absolute }
    try MistakenFile.requireNoFile(at: absolute)
    if path.contains("/") {
      throw RigLError(.missingFile, "\(path): there is no such folder", hint: hint(for: path))
    }
    throw RigLError(
      .configuration, "data: there is nothing named '\(shortened(path))', and no such folder",
      hint: hint(for: path))
  }
}

/// A format, and the folder of its files.
package struct DataSource: Sendable {
  /// The format.
  package let format: DatasetFormat
  /// The folder of the files; nil: the usual one, or none.
  package let folder: String?

  /// The names that are known, apart from folders.
  package static var names: [String] { DatasetFormat.listedNames }

  /// Finds a source by name.
  ///
  /// - Parameters:
  ///   - name: one of ``names``, or the path of a folder of IDX files named as MNIST's, of CIFAR's
  ///     binary files, or of images by class.
  ///   - folder: where the files are; all but the generated images and `fashion-mnist` need it.
  /// - Throws: `configuration` for an unknown name, `missingFile` for a path without a folder.
  package init(name: String, folder: String? = nil) throws(RigLError) {
    if name == Configuration.custom { throw Configuration.needsData }
    guard let format = DatasetFormat.named(name) else {
      if let folder { throw DataSource.takesNoFolder(name, folder) }
      let path = try DatasetFormat.folder(named: name)
      (self.format, self.folder) = (DatasetFormat.ofFolder(path), path)
      return
    }
    switch format.folder {
    case .unused: if let folder { throw DataSource.takesNoFolder(name, folder) }
    case .optional: break
    case .required(let hint):
      guard folder == nil else { break }
      let here = folderExists(at: name) ? " The folder \(name) here is ./\(name)." : ""
      throw RigLError(
        .configuration, "data \(name): its folder is not given", hint: "\(hint)\(here)")
    }
    (self.format, self.folder) = (format, folder)
  }

  private static func takesNoFolder(_ name: String, _ folder: String) -> RigLError {
    let others = DatasetFormat.all.filter { $0.isListed && $0.folder != .unused }.map(\.name)
    return RigLError(
      .configuration, "data \(name): a folder is given too, \(folder)",
      hint: "Only \(others.joined(separator: ", ")) take one; or name the folder alone.")
  }

  /// Reads or generates images that are held in memory.
  ///
  /// - Throws: `missingFile` or `data`, with the path; `configuration` for data that is not held in
  ///   memory, such as photos, which are read while training.
  package func load() throws(RigLError) -> (train: ImageSet, test: ImageSet) {
    var configuration = Configuration()
    configuration.data = format.name
    guard let loadImages = format.loadImages else {
      throw RigLError(
        .configuration, "\(folder ?? format.name): \(format.name) are not loaded into memory",
        hint: "Train on them by data \(format.name), or load them by TrainingData.load.")
    }
    return try loadImages(DatasetRequest(configuration, folder: folder))
  }
}

extension DataSource: Hashable {
  /// Whether both are of one format and folder.
  package static func == (one: DataSource, other: DataSource) -> Bool {
    (one.format.name, one.folder) == (other.format.name, other.folder)
  }

  /// Hashes the name of the format and the folder.
  package func hash(into hasher: inout Hasher) {
    hasher.combine(format.name)
    hasher.combine(folder)
  }
}
