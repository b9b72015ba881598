/// The samples of a run, by what they are for.
public struct TrainingData: Sendable {
  /// What weights are fitted to.
  public var train: any Dataset
  /// What is looked at while training, to choose by; nil: nothing.
  public var validation: (any Dataset)?
  /// What nothing is chosen by.
  public var test: any Dataset

  /// Samples of one's own.
  public init(train: any Dataset, validation: (any Dataset)? = nil, test: any Dataset) {
    self.train = train
    self.validation = validation
    self.test = test
  }

  /// Loads what a configuration asks for.
  ///
  /// - Throws: `RigLError`, also where the parts cannot be as large as asked for.
  public static func load(
    _ configuration: Configuration, folder: String? = nil
  ) throws(RigLError) -> TrainingData {
    var source: DataSource
    if configuration.data == "idx" {
      guard let folder else {
        throw RigLError(
          .configuration, "data idx: no folder given",
          hint: "Give it by data_folder, or --data PATH.")
      }
      source = try DataSource(name: folder)
    } else {
      source = try DataSource(name: configuration.data, folder: folder)
    }
    if case .synthetic(var images) = source {
      // Generated only as far as they are asked for: a longer set begins with the shorter one's.
      images.trainCount = min(configuration.trainSamples ?? .max, images.trainCount)
      images.testCount = min(configuration.testSamples ?? .max, images.testCount)
      source = .synthetic(images)
    }
    let (allTrain, allTest) = try source.load()
    var train: any Dataset = allTrain
    var test: any Dataset = allTest
    if let count = configuration.trainSamples { train = try train.first(count) }
    if let count = configuration.testSamples { test = try test.first(count) }
    if configuration.validateOnTest {
      return TrainingData(train: train, validation: test, test: test)
    }
    let split = try train.split(validation: configuration.validation)
    return TrainingData(train: split.train, validation: split.validation, test: test)
  }
}
