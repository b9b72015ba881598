/// Where training and test data come from, by name.
public enum DataSource: Hashable, Sendable {
  /// A folder of IDX files.
  case folder(ImageFolder)
  /// A folder of CIFAR's binary files.
  case cifar(CIFARFolder)
  /// A folder of photos by class.
  case photos(PhotoFolder)
  /// Generated images.
  case synthetic(SyntheticImages)

  /// The names that are known, apart from folders.
  public static let names = [
    "fashion-mnist", "mnist", "cifar-10", "cifar-100", photosName, "synthetic", syntheticColorName,
  ]

  static let photosName = "photos"
  static let syntheticColorName = "synthetic-color"
  /// The names of data whose folder has to be named.
  static let namesOfFolders = ["idx", "cifar-10", "cifar-100", photosName]
  private static let takesFolder = ["fashion-mnist", "mnist", "cifar-10", "cifar-100", photosName]

  /// Whether data of that name is known, and not the path of a folder.
  static func isName(_ name: String) -> Bool {
    names.contains(name) || namesOfFolders.contains(name) || name == Configuration.custom
  }

  /// What to do about a name that is neither data nor a folder.
  static func hint(for name: String) -> String {
    (suggestion(for: name, in: names).map { "\($0) " } ?? "")
      + "Known: \(names.joined(separator: ", ")), and folders of IDX files named as MNIST's "
      + "(train-images-idx3-ubyte and so on), of CIFAR's binary files, or of images by class."
  }

  /// What to do about a folder of data that is not there.
  static let movedHint = "If it has been moved, name it by data_folder: --data-folder PATH."

  /// What a folder holds, by the names in it: `cifar-10`, `cifar-100`, `photos` or else `idx`.
  static func kind(ofFolder path: String) -> String {
    if let kind = CIFARFolder.kind(at: path) { return kind.rawValue }
    if ImageFolder.isOne(at: path) { return "idx" }
    return PhotoFolder.isOne(at: path) ? photosName : "idx"
  }

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

  /// Finds a source by name.
  ///
  /// - Parameters:
  ///   - name: one of ``names``, or the path of a folder of IDX files named as MNIST's, of CIFAR's
  ///     binary files, or of images by class.
  ///   - folder: where the files are; all but the generated images and `fashion-mnist` need it.
  /// - Throws: `configuration` for an unknown name, `missingFile` for a path without a folder.
  public init(name: String, folder: String? = nil) throws(RigLError) {
    if name == Configuration.custom { throw Configuration.needsData }
    if let folder, !Self.takesFolder.contains(name) {
      throw RigLError(
        .configuration, "data \(name): a folder is given too, \(folder)",
        hint: "Only \(Self.takesFolder.joined(separator: ", ")) take one; or name the folder alone."
      )
    }
    switch name {
    case "fashion-mnist":
      self = .folder(.fashionMNIST(path: folder))
    case "mnist":
      guard let folder else {
        throw RigLError(
          .configuration, "data mnist: its folder is not given",
          hint: "Name the folder with train-images-idx3-ubyte and the other three files.")
      }
      self = .folder(.mnist(path: folder))
    case "cifar-10", "cifar-100":
      guard let folder, let kind = CIFARFolder.Kind(rawValue: name) else {
        throw RigLError(
          .configuration, "data \(name): its folder is not given",
          hint: "Name the folder that the binary version was unpacked in.")
      }
      self = .cifar(CIFARFolder(path: folder, kind: kind))
    case Self.photosName:
      guard let folder else {
        let here = folderExists(at: name) ? " The folder \(name) here is ./\(name)." : ""
        throw RigLError(
          .configuration, "data \(name): its folder is not given",
          hint:
            "Name a folder with train/CLASS/… and val/CLASS/…, or CLASS/… alone, by data_folder "
            + "or --data PATH.\(here)")
      }
      self = .photos(PhotoFolder(path: folder))
    case "synthetic":
      self = .synthetic(SyntheticImages())
    case Self.syntheticColorName:
      self = .synthetic(.color())
    default:
      let path = try Self.folder(named: name)
      let kind = Self.kind(ofFolder: path)
      if kind == "idx" {
        self = .folder(ImageFolder(path: path))
      } else {
        try self.init(name: kind, folder: path)
      }
    }
  }

  /// Reads or generates the test images alone.
  ///
  /// - Parameters:
  ///   - normalization: how their pixels become values, whatever the training images' are.
  ///   - known: the number of classes where neither the name nor the files say it.
  /// - Throws: as ``load()``.
  func loadTest(
    normalization: PixelNormalization, classes known: Int?
  ) throws(RigLError) -> ImageSet {
    var test: ImageSet
    switch self {
    case .folder(let folder):
      // These images have one channel, whatever the run's have.
      let plain = PixelNormalization(mean: 0, deviation: 1)
      test = try folder.loadTest(
        normalization: normalization.means.count == 1 ? normalization : plain, classes: known)
    case .cifar(let folder): test = try folder.loadTest()
    case .synthetic(var images):
      images.trainCount = 1
      try images.requireMemory()
      test = images.load().test
    case .photos: test = try load().test
    }
    // Numbers for other channels are none for these images, which are refused for their shape.
    if [1, test.sampleShape.channels].contains(normalization.means.count) {
      test.normalization = normalization
    }
    return test
  }

  /// Reads or generates images that are held in memory.
  ///
  /// - Throws: `missingFile` or `data`, with the path; `configuration` for photos, which are read
  ///   while training: see ``PhotoFolder``.
  public func load() throws(RigLError) -> (train: ImageSet, test: ImageSet) {
    switch self {
    case .folder(let folder): try folder.load()
    case .cifar(let folder): try folder.load()
    case .synthetic(let images): try images.loadIfThereIsMemory()
    case .photos(let folder):
      throw RigLError(
        .configuration, "\(folder.path): photos are not loaded into memory",
        hint: "Train on them by data photos, or open the folder as a PhotoFolder.")
    }
  }
}
