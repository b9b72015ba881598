// A model of a loop of one's own in a file, and back: the tensors are those of checkpoints.

extension Model {
  /// Writes weights, connections and running averages to a safetensors file, and an optimizer's state
  /// if given; replaces a file of that name, which stays as it was if this fails.
  ///
  /// Read back by ``load(from:optimizer:)`` or ``init(_:savedAt:input:capacity:isTraining:)``, every
  /// number is the same bits. A sparse weight is there as its values, columns and row offsets, as in
  /// checkpoints.
  ///
  ///     func layers() -> Sequential {
  ///       Sequential(
  ///         SparseLinear("hidden", inputs: 784, outputs: 100), ReLU(),
  ///         SparseLinear("output", inputs: 100, outputs: 10))
  ///     }
  ///     let model = try Model(
  ///       layers(), input: SampleShape(channels: 784), capacity: 64, connections: ["hidden": 4000])
  ///     model.draw(seed: 1, initializer: Initializer(.glorotUniform))
  ///     try model.save(to: "model.safetensors", metadata: ["epoch": "3"])
  ///     let again = try Model(layers(), savedAt: "model.safetensors", capacity: 1, isTraining: false)
  ///     print(again.connections, "connections")
  ///
  /// - Parameters:
  ///   - path: the path of the file.
  ///   - optimizer: one of this model's parameters.
  ///   - metadata: strings that come back as ``SafetensorsFile/metadata``.
  /// - Throws: `RigLError(.write)` if the file cannot be written; `.configuration` for a file that is
  ///   a run's own, metadata that the file has itself, or a layer without connections yet.
  public func save(
    to path: String, optimizer: OptimizerState? = nil, metadata: [String: String] = [:]
  ) throws(RigLError) {
    var own: [String: String] = [:]
    if let optimizer { own["state"] = TrainingState(weightSteps: optimizer.weightSteps).encoded() }
    try save(to: path, optimizer, own, metadata)
  }

  /// Takes weights, connections and running averages from a file, and an optimizer's state if given:
  /// from one that ``save(to:optimizer:metadata:)`` or ``TrainingStep/save(to:metadata:)`` has
  /// written, a run's checkpoint or export, or another program's of the same names and shapes.
  ///
  /// Each layer must have as many connections as in the file; a model that is made by
  /// ``init(_:savedAt:input:capacity:isTraining:)`` has.
  ///
  /// - Throws: `RigLError(.missingFile)` for a file that cannot be read; `.data` for one that is
  ///   damaged, or of other layers, shapes or numbers of connections. The model is then as before.
  public func load(from path: String, optimizer: OptimizerState? = nil) throws(RigLError) {
    let file = try SafetensorsFile(path: path)
    try file.verifyChecksum()
    try requireAll(of: file, optimizer)
    let state = try optimizer.map { (_) throws(RigLError) in
      try TrainingState.decode(file.metadata["state"], path: path)
    }
    try read(from: file, optimizer)
    if let state { optimizer?.weightSteps = state.weightSteps }
  }

  /// Makes a model of layers and takes its connections, weights and running averages from a file, as
  /// ``load(from:optimizer:)``.
  ///
  /// - Parameters:
  ///   - layers: new layers, those of the model that was saved.
  ///   - path: the file.
  ///   - input: the shape of a sample; nil: what the file says.
  ///   - capacity: the most samples in a batch.
  ///   - isTraining: whether there will be training passes.
  /// - Throws: as ``load(from:optimizer:)``; `.configuration` if the layers do not fit together.
  public convenience init(
    _ layers: Sequential, savedAt path: String, input: SampleShape? = nil, capacity: Int,
    isTraining: Bool = true
  ) throws(RigLError) {
    let file = try SafetensorsFile(path: path)
    guard let shape = input ?? SampleShape(file.metadata["input_shape"]) else {
      throw RigLError(
        .data, "\(path): does not say the shape of a sample", hint: "Say it by input:.")
    }
    try self.init(
      layers, input: shape, capacity: capacity,
      connections: try Model.connections(of: layers.weightLayers, in: file),
      isTraining: isTraining)
    try load(from: path)
  }

  /// - Parameters:
  ///   - own: what the file says besides.
  ///   - metadata: what a user has it say.
  fileprivate func save(
    to path: String, _ optimizer: OptimizerState?, _ own: [String: String],
    _ metadata: [String: String], topology: TopologyUpdater? = nil
  ) throws(RigLError) {
    trap(unless: !isFolded, "save: batch-norm is folded into the weights")
    try requireConnections()
    let own = own.merging(
      [
        "format": "swift-rigl model 1", "input_shape": inputShape.written, "classes": "\(outputs)",
        Model.activationsKey: layers.activationNames,
      ]) { $1 }
    if let key = metadata.keys.sorted().first(where: {
      own[$0] != nil || ["state", SafetensorsChecksum.key].contains($0)
    }) {
      throw RigLError(
        .configuration, "\(path): metadata \(key) is the file's own", hint: "Choose another name.")
    }
    var writer = try SafetensorsWriter.export(
      to: path, tensors: tensors(optimizer) + (topology?.tensors() ?? []),
      metadata: own.merging(metadata) { $1 }, checksummed: true)
    try write(to: &writer, optimizer)
    try topology?.write(to: &writer)
    try writer.finish()
  }
}

extension TrainingStep {
  /// Writes the model, the optimizer's state and where the training stands to a file, as
  /// ``Model/save(to:optimizer:metadata:)``: a step that loads it goes on with the same bits.
  ///
  /// What feeds the step is the loop's own: the metadata may say how far it has come.
  ///
  ///     var configuration = Configuration()
  ///     configuration.data = "synthetic"
  ///     configuration.trainSamples = 1000
  ///     let images = try TrainingData.load(configuration).train
  ///     func makeStep() throws -> TrainingStep {
  ///       let model = try Model(
  ///         Sequential(SparseLinear("output", inputs: 784, outputs: 10)),
  ///         input: images.sampleShape, capacity: 64, connections: ["output": 784])
  ///       model.draw(seed: 1, initializer: Initializer(.glorotUniform))
  ///       var settings = TrainingStep.Settings()
  ///       settings.method = RigL()
  ///       return TrainingStep(
  ///         model: model, loss: CrossEntropy(), optimizer: SGD(momentum: 0.9),
  ///         learningRate: LearningRateSchedule(peak: 0.1), settings: settings,
  ///         pool: try ThreadPool(threads: 1), seed: 1)
  ///     }
  ///     let step = try makeStep()
  ///     let batch = Batch(for: step.model)
  ///     for first in stride(from: 0, to: images.count, by: 64) {
  ///       try batch.fill(from: images, first..<min(first + 64, images.count))
  ///       print("loss", try step.train(on: batch).loss)
  ///     }
  ///     try step.save(to: "step.safetensors", metadata: ["epoch": "1"])
  ///     let again = try makeStep()
  ///     try again.load(from: "step.safetensors")
  ///     print("at step", again.weightSteps)
  ///
  /// - Parameters:
  ///   - path: the path of the file.
  ///   - metadata: strings that come back as ``SafetensorsFile/metadata``.
  /// - Throws: as ``Model/save(to:optimizer:metadata:)``; `.configuration` while gradients accumulate.
  public func save(to path: String, metadata: [String: String] = [:]) throws(RigLError) {
    guard accumulated == 0 else {
      throw RigLError(
        .configuration,
        "\(path): \(accumulated) of \(settings.accumulation) batches of a weight step are summed up, "
          + "and no file keeps that",
        hint: "Save after a batch whose report says movedWeights.")
    }
    guard !isUpdating else {
      throw RigLError(
        .configuration,
        "\(path): a topology update has seen some of its \(settings.growthBatches) batches, and no file "
          + "keeps what it knows", hint: "Save after a batch whose report says movedWeights.")
    }
    var state = TrainingState(weightSteps: weightSteps, batchesConsumed: batchesConsumed)
    state.lastUpdate = topology?.last
    state.initialConnections = topology?.initialConnections
    try model.save(
      to: path, optimizer, ["state": state.encoded()], metadata, topology: topology)
  }

  /// Takes what ``save(to:metadata:)`` has written, or a run's checkpoint. Seed, method, optimizer and
  /// schedules are this step's own.
  ///
  /// - Throws: as ``Model/load(from:optimizer:)``; the step is then as before.
  public func load(from path: String) throws(RigLError) {
    let file = try SafetensorsFile(path: path)
    try file.verifyChecksum()
    try model.requireAll(of: file, optimizer)
    try topology?.requireAll(of: file)
    try restore(file, try TrainingState.decode(file.metadata["state"], path: path))
  }

  /// The tensors of a checkpoint.
  var tensors: [SafetensorsTensor] { model.tensors(optimizer) + (topology?.tensors() ?? []) }

  /// Writes what ``tensors`` has announced.
  func write(to writer: inout SafetensorsWriter) throws(RigLError) {
    try model.write(to: &writer, optimizer)
    try topology?.write(to: &writer)
  }

  /// Takes model, optimizer and place in the training from a file with a state that is checked.
  func restore(_ file: SafetensorsFile, _ state: TrainingState) throws(RigLError) {
    try model.read(from: file, optimizer)
    try takePlace(of: file, state)
  }

  /// Takes a file's place in the training, once model and optimizer are as they were there.
  func takePlace(of file: SafetensorsFile, _ state: TrainingState) throws(RigLError) {
    dropAccumulated()
    try topology?.restore(file, state)
    weightSteps = state.weightSteps
    optimizer.weightSteps = state.weightSteps
    batchesConsumed = state.batchesConsumed
  }
}
