/// The samples of a run, by what they are for.
public struct TrainingData: Sendable {
  /// What weights are fitted to.
  public var train: any Dataset { didSet { origin = nil } }
  /// What is looked at while training, to choose by; nil: nothing.
  public var validation: (any Dataset)? { didSet { origin = nil } }
  /// Samples that are looked at once training is over, by which nothing is chosen.
  public var test: any Dataset { didSet { origin = nil } }
  /// What of this division is not as one would expect it, and why; nil: nothing.
  var remark: String?
  /// What they were loaded by, if they are still those; nil: they were given in code.
  private(set) var origin: Origin?

  /// What samples are loaded by.
  struct Origin: Sendable {
    /// The configuration's settings of data, as a file has them.
    let settings: [String: String]
    /// The folder of the data's files; nil: the usual one.
    let folder: String?
  }

  /// Samples of one's own.
  public init(train: any Dataset, validation: (any Dataset)? = nil, test: any Dataset) {
    self.train = train
    self.validation = validation
    self.test = test
  }

  /// What pixels go through before the network sees them; nil if the samples are not pixels.
  public var normalization: PixelNormalization? { train.pixelNormalization }

  /// The samples with other numbers by which their pixels become values; parts that have no pixels
  /// as they are.
  func normalized(by normalization: PixelNormalization) -> TrainingData {
    var normalized = self
    normalized.train = train.normalized(by: normalization)
    normalized.validation = validation?.normalized(by: normalization)
    normalized.test = test.normalized(by: normalization)
    return normalized
  }

  /// Loads what a configuration asks for, with its augmentation of the training samples.
  ///
  /// - Parameter folder: where the data's files are; nil: ``Configuration/data`` says it.
  /// - Throws: `RigLError`, also where the parts cannot be as large as asked for.
  public static func load(
    _ configuration: Configuration, folder: String? = nil
  ) throws(RigLError) -> TrainingData {
    var data = try loadParts(configuration, folder)
    let (named, folder) = try configuration.namingData(folder: folder)
    data.origin = Origin(settings: named.dataSettings, folder: folder)
    return data
  }

  private static func loadParts(
    _ configuration: Configuration, _ folder: String?
  ) throws(RigLError) -> TrainingData {
    let (configuration, source) = try source(configuration, folder)
    if case .photos(let photos) = source {
      let parts = try photos.load(
        training: configuration.photoTransform,
        standardizes: configuration.perImageStandardization, split: configuration.split)
      return try divided(
        configuration, train: parts.train, plainTrain: parts.plainTrain,
        validation: parts.validation, test: parts.test
      ).normalized(by: configuration.normalization)
    }
    let (allTrain, allTest) = try source.load()
    let transform = configuration.smallImageTransform
    let plain = transform.withoutChance
    // The training images once more, without what is drawn at random: held out ones are validated
    // on.
    return try divided(
      configuration, train: transformed(allTrain, transform),
      plainTrain: transformed(allTrain, plain), validation: nil, test: transformed(allTest, plain)
    ).normalized(by: configuration.normalization)
  }

  /// Loads the test samples alone.
  ///
  /// - Parameters:
  ///   - normalization: how pixels become values, as a run has it; then no training samples are
  ///     needed. Nil: as the configuration or the training samples say.
  ///   - classNames: a run's classes, by label: photos are numbered by them.
  ///   - classes: the number of a run's classes, where neither names nor files say it.
  /// - Throws: `RigLError`.
  public static func loadTest(
    _ configuration: Configuration, folder: String? = nil,
    normalization: PixelNormalization? = nil, classNames: [String]? = nil, classes: Int? = nil
  ) throws(RigLError) -> any Dataset {
    let (configuration, source) = try source(configuration, folder)
    try configuration.normalization.validate()
    let normalization = normalization ?? configuration.normalization.pixels
    var test: any Dataset
    if case .photos(let photos) = source {
      test = try photos.loadTest(
        classNames: classNames, transform: configuration.photoTransform,
        standardizes: configuration.perImageStandardization, split: configuration.split)
      test = normalization.map(test.normalized) ?? test
    } else if let normalization {
      test = try transformed(
        source.loadTest(normalization: normalization, classes: classes),
        configuration.smallImageTransform.withoutChance)
    } else {
      test = try transformed(
        source.load().test, configuration.smallImageTransform.withoutChance)
    }
    if let count = configuration.testSamples {
      test = try SampleDraw(.testSamples, of: test, by: configuration.split).taking(count)
    }
    return test
  }

  /// The source that a configuration names, which is then a name and not a path.
  private static func source(
    _ configuration: Configuration, _ folder: String?
  ) throws(RigLError) -> (Configuration, DataSource) {
    let (configuration, folder) = try configuration.namingData(folder: folder)
    if configuration.data == "idx" {
      guard let folder else {
        let here = folderExists(at: "idx") ? " The folder idx here is ./idx." : ""
        throw RigLError(
          .configuration, "data idx: no folder given",
          hint: "Give it by data_folder, or --data PATH.\(here)")
      }
      return (configuration, .folder(ImageFolder(path: folder)))
    }
    let source = try DataSource(name: configuration.data, folder: folder)
    guard case .synthetic(var images) = source else { return (configuration, source) }
    if configuration.data == DataSource.syntheticColorName, let side = configuration.imageSize {
      images = .color(side: side)
    }
    // Generated only as far as they are asked for: each is a draw of its own, and a longer set
    // begins with the shorter one's.
    images.trainCount = min(configuration.trainSamples ?? .max, images.trainCount)
    images.testCount = min(configuration.testSamples ?? .max, images.testCount)
    return (configuration, .synthetic(images))
  }

  private static func transformed(
    _ images: ImageSet, _ transform: SmallImageTransform
  ) throws(RigLError) -> any Dataset {
    if transform.isIdentity { return images }
    return try TransformedImages(images, transform)
  }

  /// Takes as many samples as are asked for, and holds out those to validate on.
  ///
  /// - Parameters:
  ///   - plainTrain: the training samples as evaluation sees them.
  ///   - validation: samples to validate on that are none of the training samples.
  private static func divided(
    _ configuration: Configuration, train: any Dataset, plainTrain: any Dataset,
    validation: (any Dataset)?, test: any Dataset
  ) throws(RigLError) -> TrainingData {
    let rule = configuration.split
    var (train, plainTrain, test) = (train, plainTrain, test)
    if let count = configuration.trainSamples {
      train = try SampleDraw(.trainSamples, of: train, by: rule).taking(count)
      plainTrain = try SampleDraw(.trainSamples, of: plainTrain, by: rule).taking(count)
    }
    if let count = configuration.testSamples {
      test = try SampleDraw(.testSamples, of: test, by: rule).taking(count)
    }
    if configuration.validateOnTest {
      return TrainingData(train: train, validation: test, test: test)
    }
    if validation != nil || configuration.validation == 0 {
      return TrainingData(train: train, validation: validation, test: test)
    }
    let draw = try SampleDraw(.validation, of: train, by: rule)
    guard let (held, rest) = try draw.holdingOut(asked: configuration.validation) else {
      var undivided = TrainingData(train: train, test: test)
      undivided.remark = draw.sayUndivided
      return undivided
    }
    return try TrainingData(
      train: Subset(train, indices: rest), validation: Subset(plainTrain, indices: held),
      test: test)
  }
}

extension Configuration {
  /// The configuration with the name of its data, and the folder of the data's files, where
  /// ``data`` is the path of a folder.
  ///
  /// - Throws: `RigLError`, `.configuration` or `.missingFile`, where it is neither a name nor a
  ///   folder, or where another folder is given too.
  func namingData(folder: String?) throws(RigLError) -> (Configuration, folder: String?) {
    if DataSource.isName(data) { return (self, folder) }
    let path = try DataSource.folder(named: data)
    if let folder, absolutePath(folder) != path {
      throw RigLError(
        .configuration, "data \(data): another folder is given too, \(folder)",
        hint: "Name one of them.")
    }
    var copy = self
    copy.data = DataSource.kind(ofFolder: path)
    return (copy, path)
  }

  /// The side of the data's images before they are padded; nil where a folder says it.
  var unpaddedSide: Int? {
    switch dataKind {
    case "fashion-mnist", "mnist", "synthetic": 28
    case "cifar-10", "cifar-100": 32
    case DataSource.syntheticColorName: imageSize ?? 32
    default: nil
    }
  }

  /// The names of the classes, by label, of data whose files do not have them; nil: unknown.
  func knownClassNames(_ classes: Int) -> [String]? {
    guard dataKind == "fashion-mnist", classes == 10 else { return nil }
    return [
      "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
      "Ankle boot",
    ]
  }

  /// What photos go through in training.
  var photoTransform: PhotoTransform {
    PhotoTransform(side: imageSize ?? 224, isRandom: augmentation == .randomResizedCrop)
  }

  /// What small images go through in training; see also ``SmallImageTransform/withoutChance``.
  public var smallImageTransform: SmallImageTransform {
    let crops = augmentation == .padCropFlip
    return SmallImageTransform(
      padTo: padTo, cropPadding: crops ? cropPadding : 0,
      cropPaddingMode: crops ? cropPaddingMode : .constant, flips: crops,
      standardizes: perImageStandardization)
  }
}
