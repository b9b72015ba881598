import Foundation

/// A run's network as its last checkpoint has it, or a stripped one as a file has it, to evaluate or to
/// predict with.
///
///     let run = try SavedRun("runs/demo")
///     let pixels = [Float](repeating: 0, count: run.sampleShape.count)
///     print("class", try run.predict([pixels])[0])
public final class SavedRun {
  /// The run's configuration.
  public let configuration: Configuration
  /// The network, with the checkpoint's topology and weights.
  public let model: Model
  /// The step of the checkpoint.
  public let step: Int
  /// Prunings of a lottery ticket by then, after the last of which the step is one of the ticket's own
  /// training; nil of a run without rounds.
  package let round: Int?
  /// The shape of a sample.
  public let sampleShape: SampleShape
  /// The number of classes.
  public let classes: Int
  /// The normalization of pixels in training; nil if the samples were not pixels.
  public let normalization: PixelNormalization?
  /// The path of the checkpoint.
  package let checkpointPath: String
  /// The size of its file.
  package let checkpointBytes: Int
  /// The number of samples that were trained on; nil: the file does not say.
  package let trainSamples: Int?
  /// The names of the classes, by label: those of the data that was trained on, or Fashion-MNIST's;
  /// nil if there are none.
  public let classNames: [String]?
  /// The samples that the last evaluation could not read.
  package private(set) var damaged: [DamagedSample] = []
  /// The faults of newer checkpoints, which were passed over, a line each.
  package let warnings: [String]

  /// What the files say of a network that was given in Swift.
  let customNetwork: NetworkDescription?
  /// The layers of a stripped network; nil of a run's.
  let architecture: NetworkArchitecture?
  /// The names of the classes as the file has them.
  let classNamesInFile: String?
  /// Whether the network is a stripped one, of a file of its own.
  package var isStripped: Bool { architecture != nil }

  private let pool: ThreadPool
  private let pass: Pass
  private let input: Tensor

  /// Opens a run folder, or the file of a stripped network.
  ///
  /// - Parameters:
  ///   - path: the path of the folder, or the file that `rigl strip` has written.
  ///   - network: the network, if the run was of one's own.
  ///   - best: take the weights that were best on the validation samples.
  ///   - batch: the most samples predicted at once; of 1, images are cut into strips, so that a
  ///     single one is quick.
  ///   - foldsBatchNorm: whether batch-norm goes into the weights: quicker, and results differ from
  ///     the training's by rounding. For prediction only: the model's parameters are then not those
  ///     of the run.
  ///   - threads: threads that share the work.
  public init(
    _ path: String, network: (any Network)? = nil, best: Bool = false, batch: Int? = nil,
    foldsBatchNorm: Bool = false, threads: Int = ThreadPool.processors
  ) throws(RigLError) {
    let file: SafetensorsFile
    (file, warnings) = try SavedRun.open(path, best: best)
    (checkpointPath, checkpointBytes) = (file.path, file.size)
    var configuration = try Configuration(
      yaml: file.metadata["configuration"] ?? "", path: file.path)
    architecture = try NetworkArchitecture(in: file)
    guard architecture == nil || !best && network == nil else {
      throw SavedRun.saysItself(file.path, best: best)
    }
    (step, round) = try SavedRun.place(of: file, isRun: architecture == nil)
    classNamesInFile = file.metadata["class_names"]
    guard let shape = SampleShape(file.metadata["input_shape"]),
      let classes = Int(file.metadata["classes"] ?? ""), (1...1 << 24).contains(classes)
    else {
      throw RigLError(.data, "\(file.path): its metadata does not say the shape of a sample")
    }
    normalization = try SavedRun.normalization(of: file, channels: shape.channels)
    var names = DataIdentity.classNames(in: file.metadata)
    if names?.count != classes { names = nil }
    // A path, of a folder that is gone: while paths were saved, photos alone had names, and parts were
    // taken sequentially. Otherwise it is the name of a format that this program does not have.
    let isPath = configuration.split == .sequential && !DatasetFormat.isName(configuration.data)
    if names != nil, isPath {
      configuration.data = DatasetFormat.photos.name
    }
    try configuration.validate()
    self.configuration = configuration
    // Samples of one's own leave the setting as it is, but not the numbers.
    let isNamedData =
      configuration.normalization != .standard
      || normalization != nil && normalization == configuration.dataFormat?.normalization
    classNames = names ?? (isNamedData ? configuration.knownClassNames(classes) : nil)
    sampleShape = shape
    self.classes = classes
    customNetwork = try NetworkDescription(in: file.metadata, path: file.path)
    let (layers, connections) = try SavedRun.layers(
      of: file, configuration, architecture, customNetwork, given: network, input: shape,
      classes: classes)
    MemoryUse.current = .network
    defer { MemoryUse.current = .work }
    trainSamples = file.metadata["train_samples"].flatMap { Int($0) }
    let most = min(configuration.batchSize, max(trainSamples ?? .max, Tensor.mostLanes))
    model = try Model(
      layers, input: sampleShape, capacity: batch ?? most,
      connections: connections, isTraining: false, usesStrips: batch == 1)
    try model.read(from: file, nil)
    if foldsBatchNorm { model.foldBatchNorms() }
    pool = try ThreadPool(threads: threads)
    pass = Pass(pool: pool, seed: 0)
    input = model.makeInput()
  }

  /// The layers that a file has the weights of, and how many connections each has.
  ///
  /// - Parameter network: the one that is given; nil: what the file describes, or the configuration
  ///   names.
  private static func layers(
    of file: SafetensorsFile, _ configuration: Configuration, _ architecture: NetworkArchitecture?,
    _ description: NetworkDescription?, given network: (any Network)?, input: SampleShape,
    classes: Int
  ) throws(RigLError) -> (Sequential, connections: [String: Int]) {
    if let architecture {
      return try architecture.layers(in: file, input: input, classes: classes)
    }
    guard let network else {
      if configuration.hasCustomNetwork {
        throw needsNetwork(file.path, description)
      }
      let layers = try configuration.layers(in: file, input: input, classes: classes)
      do throws(RigLError) {
        return (layers, try Model.connections(of: layers.weightLayers, in: file))
      } catch {
        throw RigLError(
          error.kind, error.what,
          hint: error.hint
            ?? "If its network was made in Swift: open it there, with SavedRun(…, network: …).")
      }
    }
    let layers = network.layers(input: input, classes: classes)
    if let description {
      let given = try NetworkDescription(network, layers, input: input, classes: classes)
      try description.requireSame(as: given, path: file.path)
    } else if try configuration.isNetwork(of: file) {
      // Not where an earlier version has saved a name that was not the network's.
      try NetworkDescription(try configuration.makeNetwork(), input: input, classes: classes)
        .requireSame(
          as: try NetworkDescription(network, layers, input: input, classes: classes),
          path: file.path)
    }
    return (layers, try Model.connections(of: layers.weightLayers, in: file))
  }

  /// The error for a run whose network was made in Swift and is not given.
  static func needsNetwork(_ path: String, _ description: NetworkDescription?) -> RigLError {
    let type = description.map { " (\($0.type))" } ?? ""
    return RigLError(
      .configuration,
      "\(path): the run's network\(type) was made in Swift, and only Swift can make it again",
      hint: "Open it there, with SavedRun(…, network: …); rigl inspect and rigl export do without.")
  }

  /// The file of the network at a path: of a stripped one, or the checkpoint of a run.
  private static func open(
    _ path: String, best: Bool
  ) throws(RigLError) -> (SafetensorsFile, warnings: [String]) {
    if let stripped = try strippedFile(at: path) { return (stripped, []) }
    return try open(try RunFolder.open(path), best: best)
  }

  /// The step that a file's network is of, and the round of a lottery ticket.
  private static func place(
    of file: SafetensorsFile, isRun: Bool
  ) throws(RigLError) -> (step: Int, round: Int?) {
    guard isRun else { return (Int(file.metadata["step"] ?? "") ?? 0, nil) }
    let state = try TrainingState.decode(file.metadata["state"], path: file.path)
    return (state.weightSteps, state.round)
  }

  /// The error for what a file of a stripped network does not take.
  private static func saysItself(_ path: String, best: Bool) -> RigLError {
    RigLError(
      .configuration,
      best
        ? "\(path): a stripped network has one set of weights, and none that are best"
        : "\(path): a stripped network's file says its layers itself",
      hint: best ? "Leave out --best, or strip the run with it." : "Leave out the network.")
  }

  /// The checkpoint that is asked for, and what was wrong with newer ones.
  static func open(
    _ folder: RunFolder, best: Bool
  ) throws(RigLError) -> (SafetensorsFile, warnings: [String]) {
    if best {
      let path = folder.bestPath
      guard FileSystem.item(path) != .nothing else {
        throw RigLError(
          .missingFile, "\(path): there are no best weights",
          hint: "Only a run with validation samples keeps them, from its first epoch on.")
      }
      return (try folder.bestWeights(), [])
    }
    guard let latest = try folder.latestCheckpoint() else {
      throw RigLError(
        .missingFile, "\(folder.path): the run has no checkpoint yet",
        hint: "Go on with it by --resume \(folder.path)")
    }
    return (latest.file, latest.warnings)
  }

  static func normalization(
    of file: SafetensorsFile, channels: Int
  ) throws(RigLError) -> PixelNormalization? {
    guard let text = file.metadata["normalization"] else { return nil }
    // Means, then as many deviations: one pair, or one for each channel.
    let words = text.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = words.compactMap { Double($0) }
    let deviations = numbers.suffix(numbers.count / 2)
    guard numbers.count == words.count, numbers.count % 2 == 0,
      numbers.count == 2 || numbers.count == 2 * channels, numbers.allSatisfy(\.isFinite),
      deviations.allSatisfy({ $0 > 0 })
    else {
      throw RigLError(.data, "\(file.path): its metadata has a normalization of '\(text)'")
    }
    return PixelNormalization(
      means: Array(numbers.prefix(deviations.count)), deviations: Array(deviations))
  }

  /// The logits of samples, each of `sampleShape.count` values normalised as in training.
  public func logits(_ samples: [[Float]]) throws(RigLError) -> [[Float]] {
    var all: [[Float]] = []
    for begin in stride(from: 0, to: samples.count, by: model.capacity) {
      let end = min(begin + model.capacity, samples.count)
      input.samples = end - begin
      for (place, sample) in samples[begin..<end].enumerated() {
        guard sample.count == sampleShape.count else {
          throw RigLError(
            .data, "sample \(begin + place): \(sample.count) values, expected \(sampleShape.count)")
        }
        try input.setValues(sample, of: place)
        if let index = sample.firstIndex(where: { !$0.isFinite }) {
          throw .brokenValue(
            sample[index], at: index, of: "sample \(begin + place)", shape: sampleShape)
        }
      }
      let output = try model.forward(input, pass)
      for place in 0..<end - begin { all.append(output.values(of: place)) }
    }
    return all
  }

  /// The class of each sample: that of the largest logit, ties to the lower class.
  public func predict(_ samples: [[Float]]) throws(RigLError) -> [Int] {
    try predictions(samples).map(\.label)
  }

  /// The class of each sample, and how probable the network finds it.
  ///
  /// - Throws: `RigLError(.numerical)` if a logit is not finite.
  public func predictions(_ samples: [[Float]]) throws(RigLError) -> [Prediction] {
    try SavedRun.predictions(ofLogits: try logits(samples))
  }

  /// The class that each sample's logits say, and how probable it is by them.
  ///
  /// - Throws: `RigLError(.numerical)` if a logit is not finite.
  package static func predictions(ofLogits all: [[Float]]) throws(RigLError) -> [Prediction] {
    var predictions: [Prediction] = []
    for (sample, logits) in all.enumerated() {
      guard logits.allSatisfy(\.isFinite) else {
        throw RigLError(.numerical, "sample \(sample): its logits are not finite: \(logits)")
      }
      let label = logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }
      let total = logits.reduce(0.0) { $0 + exp(Double($1) - Double(logits[label])) }
      predictions.append(Prediction(label: label, probability: 1 / total))
    }
    return predictions
  }

  /// How the run does on some samples, their pixels normalised as the run's were, by the run's loss.
  ///
  /// Labels count by the names of their classes where both have names: some of the run's classes are
  /// enough.
  ///
  /// - Parameters:
  ///   - dataset: the samples.
  ///   - loss: the run's, if it was one of one's own; nil: cross-entropy with its label smoothing.
  /// - Throws: `RigLError(.data)` for samples of another shape or of other classes; `.configuration`
  ///   without the loss of a run that was trained with one of one's own; as ``Evaluator/evaluate()``.
  public func evaluate(
    _ dataset: any Dataset, loss: (any Loss)? = nil
  ) throws(RigLError) -> Evaluation {
    if loss == nil { try requireNamedLoss() }
    guard dataset.sampleShape == sampleShape else {
      throw RigLError(
        .data,
        "samples of shape \(dataset.sampleShape.written); the run takes \(sampleShape.written) "
          + "(channels, height, width)")
    }
    let evaluator = try Evaluator(
      model: model, loss: loss ?? CrossEntropy(labelSmoothing: configuration.labelSmoothing),
      dataset: normalization.map(dataset.normalizedIfFitting) ?? dataset,
      pool: pool, classes: try labels(ofClassesIn: dataset))
    defer { damaged = evaluator.damaged }
    return try evaluator.evaluate()
  }

  /// Throws where the run was trained with a loss that was given in Swift: nothing else has its
  /// numbers.
  package func requireNamedLoss() throws(RigLError) {
    guard let name = configuration.customRules.loss else { return }
    throw RigLError(
      .configuration,
      "\(checkpointPath): the run's loss (\(name)) was given in Swift, and cross-entropy is another",
      hint: "Give it there: SavedRun(…).evaluate(samples, loss: …); rigl predict does without.")
  }

  /// The run's label of each class of a dataset; nil if they are the same.
  private func labels(ofClassesIn dataset: any Dataset) throws(RigLError) -> [Int]? {
    guard let classNames, let names = dataset.classNames else {
      guard dataset.classes == classes else {
        throw RigLError(
          .data, "samples of \(dataset.classes) classes; the run knows \(classes)",
          hint: "Only classes with names may be fewer than the run's.")
      }
      return nil
    }
    if names == classNames { return nil }
    var labels: [String: Int] = [:]
    for (label, name) in classNames.enumerated() { labels[name] = label }
    let found = names.map { labels[$0] }
    guard !found.contains(nil) else {
      let others = zip(names, found).filter { $0.1 == nil }.map(\.0)
      throw RigLError(
        .data,
        "samples of classes that the run does not know: \(firstOf(others)); it knows "
          + firstOf(classNames),
        hint: "The classes should have the same names as those that were trained on.")
    }
    return found.compactMap(\.self)
  }

  /// The names of the run's classes, by label: its own, or those of samples that it is evaluated on;
  /// nil if there are none.
  package func classNames(or dataset: any Dataset) -> [String]? {
    let others = dataset.classNames
    return classNames ?? (others?.count == classes ? others : nil)
  }

  /// The run's classes that an evaluation had no samples of, by name or number.
  package func absentClasses(in evaluation: Evaluation) -> [String] {
    evaluation.confusion.prefix(classes).enumerated().filter { $0.element.allSatisfy { $0 == 0 } }
      .map { classNames?[$0.offset] ?? "\($0.offset)" }
  }
}

/// A network's answer for a sample: the class, and how probable it is.
public struct Prediction: Hashable, Sendable, Codable {
  /// The class.
  public let label: Int
  /// The probability that the network gives it (softmax), in 0...1.
  public let probability: Double

  private enum CodingKeys: String, CodingKey {
    case label = "class"
    case probability
  }
}
