/// The samples of a run, by what they are for.
public struct TrainingData: Sendable {
  /// The samples that weights are fitted to.
  public var train: any Dataset { didSet { origin = nil } }
  /// The samples that models are chosen by (best checkpoint, early stopping); nil: none.
  public var validation: (any Dataset)? { didSet { origin = nil } }
  /// The samples for the final figures; nothing is ever chosen by them.
  public var test: any Dataset { didSet { origin = nil } }
  /// The remark on this division where it is not as one would expect, with the reason; nil: none.
  var remark: String?
  /// The settings that the samples were loaded by, while they are those; nil: given in code.
  private(set) var origin: Origin?

  /// The settings and the folder that samples were loaded by.
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

  /// The normalization of pixels before the network sees them; nil if the samples are not pixels.
  package var normalization: PixelNormalization? { train.pixelNormalization }

  /// The samples with other numbers by which their pixels become values; parts that have no pixels
  /// as they are.
  func normalized(by normalization: PixelNormalization) -> TrainingData {
    var normalized = self
    normalized.train = train.normalizedIfFitting(by: normalization)
    normalized.validation = validation?.normalizedIfFitting(by: normalization)
    normalized.test = test.normalizedIfFitting(by: normalization)
    return normalized
  }

  /// Loads what a configuration asks for, with its augmentation of the training samples.
  ///
  /// - Parameters:
  ///   - configuration: says which samples, and how they are divided.
  ///   - folder: where the data's files are; nil: ``Configuration/data`` says it.
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
    let (format, request) = try request(configuration, folder)
    return try divided(request.configuration, try format.load(request))
      .normalized(by: configuration.normalization)
  }

  /// Loads the test samples alone.
  ///
  /// - Parameters:
  ///   - configuration: says which samples.
  ///   - folder: where the data's files are; nil: ``Configuration/data`` says it.
  ///   - normalization: how pixels become values, as a run has it; then no training samples are
  ///     needed. Nil: as the configuration or the training samples say.
  ///   - classNames: a run's classes, by label: photos are numbered by them.
  ///   - classes: the number of a run's classes, where neither names nor files say it.
  /// - Throws: `RigLError`.
  package static func loadTest(
    _ configuration: Configuration, folder: String? = nil,
    normalization: PixelNormalization? = nil, classNames: [String]? = nil, classes: Int? = nil
  ) throws(RigLError) -> any Dataset {
    var (format, request) = try request(configuration, folder)
    try configuration.normalization.validate()
    request.normalization = normalization ?? configuration.normalization.pixels
    (request.classNames, request.classes) = (classNames, classes)
    var test = try format.loadTest(request)
    if let numbers = request.normalization { test = test.normalizedIfFitting(by: numbers) }
    if let count = configuration.testSamples {
      test = try SampleDraw(.testSamples, of: test, by: configuration.split).taking(count)
    }
    return test
  }

  /// The format that a configuration names, and what it is to load; data is then a name and not a
  /// path.
  private static func request(
    _ configuration: Configuration, _ folder: String?
  ) throws(RigLError) -> (DatasetFormat, DatasetRequest) {
    let (named, folder) = try configuration.namingData(folder: folder)
    let source = try DataSource(name: named.data, folder: folder)
    return (source.format, DatasetRequest(named, folder: source.folder))
  }

  /// Takes as many samples as are asked for, and holds out those to validate on.
  private static func divided(
    _ configuration: Configuration, _ parts: DatasetParts
  ) throws(RigLError) -> TrainingData {
    let rule = configuration.split
    let validation = parts.validation
    var (train, plainTrain, test) = (parts.train, parts.plainTrain, parts.test)
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
    if DatasetFormat.isName(data) { return (self, folder) }
    let path = try DatasetFormat.folder(named: data)
    if let folder, absolutePath(folder) != path {
      throw RigLError(
        .configuration, "data \(data): another folder is given too, \(folder)",
        hint: "Name one of them.")
    }
    var copy = self
    copy.data = DatasetFormat.ofFolder(path).name
    return (copy, path)
  }

  /// The format of the data, also where ``data`` is the path of a folder; nil for samples that were
  /// given in Swift.
  package var dataFormat: DatasetFormat? {
    hasCustomData ? nil : DatasetFormat.named(data) ?? .ofFolder(data)
  }

  /// The name of the data, also where ``data`` is the path of a folder.
  var dataKind: String { dataFormat?.name ?? data }

  /// The names of the classes, by label, of data whose files do not have them; nil: unknown.
  func knownClassNames(_ classes: Int) -> [String]? {
    dataFormat?.classNames.flatMap { $0.count == classes ? $0 : nil }
  }

  /// What small images go through in training.
  package var smallImageTransform: SmallImageTransform {
    let crops = augmentation == .padCropFlip
    return SmallImageTransform(
      padTo: padTo, cropPadding: crops ? cropPadding : 0,
      cropPaddingMode: crops ? cropPaddingMode : .constant, flips: crops,
      standardizes: perImageStandardization)
  }
}
