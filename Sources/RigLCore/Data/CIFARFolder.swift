/// A folder of CIFAR-10 or CIFAR-100 in their binary form: 32 × 32 pixels, red, green and blue.
///
/// CIFAR-10: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, records of a label and
/// 3072 pixels. CIFAR-100: `train.bin` and `test.bin`, records of a coarse label, a fine label and
/// 3072 pixels.
///
/// Krizhevsky, *Learning multiple layers of features from tiny images*, 2009;
/// <https://www.cs.toronto.edu/~kriz/cifar.html>
package struct CIFARFolder: Hashable, Sendable {
  /// Which of the two it is, and by which labels.
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Ten classes.
    case cifar10 = "cifar-10"
    /// A hundred classes.
    case cifar100 = "cifar-100"
    /// CIFAR-100 by its twenty coarse classes.
    case cifar100Coarse = "cifar-100-coarse"

    /// The number of classes.
    package var classes: Int {
      switch self {
      case .cifar10: 10
      case .cifar100: 100
      case .cifar100Coarse: 20
      }
    }

    /// The number of classes by each label of a record, in the record's order.
    var labels: [Int] { self == .cifar10 ? [10] : [20, 100] }

    var trainFiles: [String] {
      self == .cifar10 ? (1...5).map { "data_batch_\($0).bin" } : ["train.bin"]
    }

    var testFile: String { self == .cifar10 ? "test_batch.bin" : "test.bin" }

    var namesFile: String {
      switch self {
      case .cifar10: "batches.meta.txt"
      case .cifar100: "fine_label_names.txt"
      case .cifar100Coarse: "coarse_label_names.txt"
      }
    }

    /// The folder that the published archive unpacks to.
    var archiveFolder: String {
      self == .cifar10 ? "cifar-10-batches-bin" : "cifar-100-binary"
    }
  }

  /// The path of the folder of CIFAR's binary files.
  package var path: String
  /// Which of the two it is.
  package var kind: Kind

  /// A folder of the files, or one in which the published archive was unpacked.
  package init(path: String, kind: Kind) {
    self.path = path
    self.kind = kind
  }

  /// The kind of a folder by the files in it; nil if it is neither.
  package static func kind(at path: String) -> Kind? {
    [Kind.cifar10, .cifar100].first { kind in
      [path, "\(path)/\(kind.archiveFolder)"].contains {
        CIFARFolder.holds(kind, $0)
      }
    }
  }

  /// Whether a folder holds the first training file, or the test file alone.
  private static func holds(_ kind: Kind, _ path: String) -> Bool {
    [kind.trainFiles[0], kind.testFile].contains { fileExists(at: "\(path)/\($0)") }
  }

  /// The shape of every image.
  package static let sampleShape = SampleShape(channels: 3, height: 32, width: 32)
  /// Records beyond which a file is refused; the published files have up to 50 000.
  private static let mostRecords = 1_000_000

  /// The folder with the files themselves.
  private var folder: String {
    let inner = "\(path)/\(kind.archiveFolder)"
    return !CIFARFolder.holds(kind, path) && folderExists(at: inner) ? inner : path
  }

  /// Reads both sets, normalised by the published numbers of the training set.
  ///
  /// - Throws: `missingFile` or `data`, with the path, and the record's place for a label that
  ///   cannot be.
  package func load() throws(RigLError) -> (train: ImageSet, test: ImageSet) {
    let train = try read(kind.trainFiles, beside: [kind.testFile])
    return (train, try loadTest())
  }

  /// Reads the test set alone.
  ///
  /// - Throws: as ``load()``.
  func loadTest() throws(RigLError) -> ImageSet { try read([kind.testFile]) }

  /// The names of the classes, by label; nil if the folder does not have them.
  ///
  /// - Throws: `data` if there are not as many as classes.
  package func classNames() throws(RigLError) -> [String]? {
    let path = "\(folder)/\(kind.namesFile)"
    guard fileExists(at: path) else { return nil }
    let text = String(decoding: try fileBytes(at: path, limit: 1 << 20), as: UTF8.self)
    let names = text.split(whereSeparator: \.isNewline).map { String($0) }
      .filter { !$0.allSatisfy(\.isWhitespace) }
    guard names.count == kind.classes else {
      throw RigLError(.data, "\(path): \(names.count) names of classes, expected \(kind.classes)")
    }
    return names
  }

  /// Reads some of the files, if they are there and others too.
  private func read(
    _ names: [String], beside others: [String] = []
  ) throws(RigLError) -> ImageSet {
    try MistakenFile.requireNoFile(at: path)
    guard folderExists(at: path) else {
      throw RigLError(
        .missingFile, "\(path): there is no such folder",
        hint: "Unpack the binary version of \(kind.rawValue) and name its folder. "
          + DatasetFormat.movedHint)
    }
    let folder = folder
    for name in names + others where !fileExists(at: "\(folder)/\(name)") {
      throw RigLError(
        .missingFile, "\(folder)/\(name): there is no such file",
        hint: MistakenFile.hint(forData: folder)
          ?? "The folder should hold \((kind.trainFiles + [kind.testFile]).joined(separator: ", ")):"
          + " the binary version, unpacked.")
    }
    var images = try records(in: names.map { "\(folder)/\($0)" })
    images.classNames = try classNames()
    return images
  }

  private func records(in paths: [String]) throws(RigLError) -> ImageSet {
    let (head, size) = (kind.labels.count, CIFARFolder.sampleShape.count)
    let record = head + size
    var pixels: [UInt8] = []
    var labels: [UInt8] = []
    for path in paths {
      let file = try fileBytes(at: path, limit: CIFARFolder.mostRecords * record)
      try requireAllocation(bytes: 2 * (pixels.count + file.count), for: path)
      guard !file.isEmpty, file.count % record == 0 else {
        throw RigLError(
          .data,
          "\(path): \(file.count) bytes are not a number of records of \(record) bytes",
          hint: "The file is damaged or incomplete, or not \(kind.rawValue)'s: unpack it again.")
      }
      for begin in stride(from: 0, to: file.count, by: record) {
        for (place, classes) in kind.labels.enumerated() where file[begin + place] >= classes {
          throw RigLError(
            .data,
            "\(path): label \(file[begin + place]) of record \(begin / record), expected "
              + "0..<\(classes)",
            hint: "The file is damaged, or not \(kind.rawValue)'s.")
        }
        labels.append(file[begin + (kind == .cifar100 ? 1 : 0)])
        pixels.append(contentsOf: file[(begin + head)..<(begin + record)])
      }
    }
    return ImageSet(
      complete: pixels, labels: labels, sampleShape: CIFARFolder.sampleShape, classes: kind.classes,
      normalization: kind == .cifar10 ? .cifar10 : .cifar100)
  }
}

// MARK: - Formats

extension DatasetFormat {
  static let cifar10 = cifar(.cifar10, .cifar10)
  static let cifar100 = cifar(.cifar100, .cifar100)

  private static func cifar(
    _ kind: CIFARFolder.Kind, _ normalization: PixelNormalization
  ) -> DatasetFormat {
    @Sendable func folder(_ request: DatasetRequest) -> CIFARFolder {
      CIFARFolder(path: request.folder ?? "", kind: kind)
    }
    var format = DatasetFormat(
      kind.rawValue, images: { (request) throws(RigLError) in try folder(request).load() },
      testImages: { (request) throws(RigLError) in try folder(request).loadTest() })
    format.folder = .required(hint: "Name the folder that the binary version was unpacked in.")
    format.recognizes = { path in CIFARFolder.kind(at: path) == kind }
    format.sampleShape = { _ in CIFARFolder.sampleShape }
    format.normalization = normalization
    return format
  }
}
