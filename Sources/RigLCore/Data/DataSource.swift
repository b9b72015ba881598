/// Where training and test data come from, by name.
public enum DataSource: Hashable, Sendable {
  /// A folder of IDX files.
  case folder(ImageFolder)
  /// Generated images.
  case synthetic(SyntheticImages)

  /// The names that are known, apart from folders.
  public static let names = ["fashion-mnist", "mnist", "synthetic"]

  /// Finds a source by name.
  ///
  /// - Parameters:
  ///   - name: `fashion-mnist`, `mnist` (which needs `folder`), `synthetic`, or the path of a
  ///     folder of IDX files named as MNIST's.
  ///   - folder: where the files of `fashion-mnist` or `mnist` are; nil means the usual place.
  /// - Throws: `configuration` for an unknown name, `missingFile` for a path without a folder.
  public init(name: String, folder: String? = nil) throws(RigLError) {
    if let folder, !["fashion-mnist", "mnist"].contains(name) {
      throw RigLError(
        .configuration, "data \(name): a folder is given too, \(folder)",
        hint: "Only fashion-mnist and mnist take one; or name the folder alone.")
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
    case "synthetic":
      self = .synthetic(SyntheticImages())
    default:
      guard folderExists(at: name) else {
        let isPath = name.contains("/")
        throw RigLError(
          isPath ? .missingFile : .configuration,
          isPath ? "\(name): there is no such folder" : "there is no data named '\(name)'",
          hint: "Known are \(Self.names.joined(separator: ", ")), and folders of IDX files.")
      }
      self = .folder(ImageFolder(path: name))
    }
  }

  /// Reads or generates the data.
  ///
  /// - Throws: `missingFile` or `data`, with the path.
  public func load() throws(RigLError) -> (train: ImageSet, test: ImageSet) {
    switch self {
    case .folder(let folder): try folder.load()
    case .synthetic(let images): images.load()
    }
  }
}
