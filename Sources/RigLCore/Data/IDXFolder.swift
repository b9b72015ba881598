/// A folder of images as MNIST and Fashion-MNIST come: four IDX files, gzip or not.
///
/// `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`, with or without `.gz`, also spelt with a dot before `idx`.
package struct IDXFolder: Hashable, Sendable {
  /// The path of the folder of IDX files.
  package var path: String
  /// The number of classes; nil takes the largest training label plus 1.
  package var classes: Int?
  /// How pixels become values; nil computes mean and deviation of the training images.
  package var normalization: PixelNormalization?
  /// The advice where a file is missing; nil: none.
  package var hint: String?

  /// A folder with a training and a test set.
  package init(
    path: String, classes: Int? = nil, normalization: PixelNormalization? = nil,
    hint: String? = nil
  ) {
    self.path = path
    self.classes = classes
    self.normalization = normalization
    self.hint = hint
  }

  /// Fashion-MNIST: 60 000 and 10 000 images of clothes, 28 × 28, 10 classes.
  ///
  /// - Parameter path: the folder; by default where Debian's package puts it.
  package static func fashionMNIST(path: String? = nil) -> IDXFolder {
    IDXFolder(
      path: path ?? "/usr/share/datasets/fashion-mnist", classes: 10, normalization: .fashionMNIST,
      hint: path == nil
        ? "On Debian: apt-get install dataset-fashion-mnist. Elsewhere name the folder." : nil)
  }

  /// MNIST: 60 000 and 10 000 handwritten digits, 28 × 28, 10 classes.
  package static func mnist(path: String) -> IDXFolder {
    IDXFolder(path: path, classes: 10)
  }

  /// Whether a folder holds training or test images in a file of that kind.
  static func isOne(at path: String) -> Bool {
    guard let names = try? folderNames(at: path) else { return false }
    return names.contains { $0.hasPrefix("train-images") || $0.hasPrefix("t10k-images") }
  }

  /// Reads both sets; the test set is normalised as the training set is.
  ///
  /// - Throws: `missingFile` or `data`, with the path.
  package func load() throws(RigLError) -> (train: ImageSet, test: ImageSet) {
    try requireFolder()
    let train = try ImageSet(
      imagesAt: file("train-images", "idx3-ubyte"), labelsAt: file("train-labels", "idx1-ubyte"),
      classes: classes, normalization: normalization)
    let testImages = try file("t10k-images", "idx3-ubyte")
    let test = try ImageSet(
      imagesAt: testImages, labelsAt: file("t10k-labels", "idx1-ubyte"), classes: train.classes,
      normalization: train.normalization)
    guard test.sampleShape == train.sampleShape else {
      let (found, expected) = (test.sampleShape, train.sampleShape)
      throw RigLError(
        .data,
        "\(testImages): images of \(found.height) × \(found.width), but the training images "
          + "have \(expected.height) × \(expected.width)")
    }
    return (train, test)
  }

  /// Reads the test set alone.
  ///
  /// - Parameters:
  ///   - normalization: how its pixels become values.
  ///   - known: the number of classes where neither this description nor a file of training labels
  ///     says it.
  /// - Throws: `missingFile` or `data`, with the path.
  func loadTest(
    normalization: PixelNormalization, classes known: Int?
  ) throws(RigLError) -> ImageSet {
    try requireFolder()
    var count = classes
    if count == nil, let path = try? file("train-labels", "idx1-ubyte") {
      count = (try? IDXArray(contentsOf: path, rank: 1)).map { Int($0.bytes.max() ?? 0) + 1 }
    }
    // Bytes number no more; where there are, these are other images.
    if count == nil, let known, known <= 256 { count = known }
    return try ImageSet(
      imagesAt: file("t10k-images", "idx3-ubyte"), labelsAt: file("t10k-labels", "idx1-ubyte"),
      classes: count, normalization: normalization)
  }

  private func requireFolder() throws(RigLError) {
    try MistakenFile.requireNoFile(at: path)
    guard folderExists(at: path) else {
      throw RigLError(
        .missingFile, "\(path): there is no such folder", hint: hint ?? DatasetFormat.movedHint)
    }
  }

  /// The path of one of the four files, whichever way it is spelt.
  private func file(_ what: String, _ type: String) throws(RigLError) -> String {
    let names = ["\(what)-\(type)", "\(what)-\(type).gz", "\(what).\(type)", "\(what).\(type).gz"]
    for name in names where fileExists(at: "\(path)/\(name)") { return "\(path)/\(name)" }
    throw RigLError(
      .missingFile, "\(path): none of the files \(names.joined(separator: ", "))",
      hint: MistakenFile.hint(forData: path) ?? hint)
  }
}

// MARK: - Formats

extension DatasetFormat {
  static let fashionMNIST: DatasetFormat = {
    var format = DatasetFormat(
      "fashion-mnist", of: { request in .fashionMNIST(path: request.folder) })
    format.folder = .optional
    format.sampleShape = { _ in mnistShape }
    format.normalization = .fashionMNIST
    format.classNames = [
      "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
      "Ankle boot",
    ]
    return format
  }()

  static let mnist: DatasetFormat = {
    var format = DatasetFormat("mnist", of: { request in .mnist(path: request.folder ?? "") })
    format.folder = .required(
      hint: "Name the folder with train-images-idx3-ubyte and the other three files.")
    format.sampleShape = { _ in mnistShape }
    return format
  }()

  /// Any folder of IDX files.
  static let imageFiles: DatasetFormat = {
    var format = DatasetFormat(
      "idx",
      of: { (request) throws(RigLError) in
        if let folder = request.folder { return IDXFolder(path: folder) }
        let here = folderExists(at: "idx") ? " The folder idx here is ./idx." : ""
        throw RigLError(
          .configuration, "data idx: no folder given",
          hint: "Give it by data_folder, or --data PATH.\(here)")
      })
    format.folder = .optional
    format.recognizes = IDXFolder.isOne
    format.isListed = false
    return format
  }()

  private static let mnistShape = SampleShape(channels: 1, height: 28, width: 28)

  private init(
    _ name: String,
    of folder: @escaping @Sendable (DatasetRequest) throws(RigLError) -> IDXFolder
  ) {
    self.init(
      name, images: { (request) throws(RigLError) in try folder(request).load() },
      testImages: { (request) throws(RigLError) in
        // These images have one channel, whatever the run's have.
        let plain = PixelNormalization(mean: 0, deviation: 1)
        let own = request.normalization.flatMap { $0.means.count == 1 ? $0 : nil }
        return try folder(request).loadTest(normalization: own ?? plain, classes: request.classes)
      })
  }
}
