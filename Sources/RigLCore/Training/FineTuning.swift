// Trainings that begin with what another one has learned.

extension Trainer {
  /// Puts a new training together that starts from the network of a trained run: its connections,
  /// weights, biases and running averages. Optimizer and schedules begin anew.
  ///
  ///     let trainer = try Trainer(startingFrom: "runs/demo") {
  ///       $0.epochs = 2
  ///       $0.learningRate = 0.01
  ///     }
  ///     let result = try trainer.run()
  ///     print("accuracy", result.test?.accuracy ?? 0, "in", trainer.folder?.path ?? "")
  ///
  /// Settings are the run's but for what is changed: data, epochs, learning rate, schedule, method;
  /// and but for ``Configuration/updateEnd``, a step of the run's length, which is unset. On other
  /// data ``Configuration/trainSamples``, ``Configuration/testSamples``, ``Configuration/split`` and
  /// a number of validation samples are unset too, as are sizes and an augmentation that its images
  /// cannot have.
  /// Where the data has other classes than the run's, the last layer is drawn anew; pixels are
  /// normalised as the run's were. With a larger ``Configuration/sparsity`` each layer keeps its
  /// largest weights, and a dense run becomes a sparse one; connections that the run does not have
  /// cannot be asked for. Callbacks are told what is taken by ``TrainingEvent/remark(_:)``.
  ///
  /// - Parameters:
  ///   - path: the run's folder, whose last checkpoint is taken, or one of its checkpoints:
  ///     `runs/demo/checkpoints/best.safetensors`.
  ///   - options: how the new run is carried out, and where it is; ``RunOptions/dataFolder`` nil: the
  ///     run's, unless other data is set.
  ///   - network: the run's network, if it was one of one's own.
  ///   - data: samples of one's own; nil: the configuration's.
  ///   - loss: a loss of one's own; nil: the configuration's.
  ///   - method: a topology method of one's own; nil: the configuration's.
  ///   - optimizer: an optimizer of one's own; nil: the configuration's.
  ///   - change: what settings differ; called once more where the data does. ``Configuration/epochs``
  ///     that are set take the place of ``Configuration/totalSteps``.
  /// - Throws: `RigLError`, `.missingFile` or `.data` if there is no network to start from, or
  ///   `.configuration` for settings that contradict it, at the latest by ``run()``.
  public convenience init(
    startingFrom path: String, options: RunOptions = RunOptions(),
    network: (any Network)? = nil, data: TrainingData? = nil, loss: (any Loss)? = nil,
    method: (any TopologyMethod)? = nil, optimizer: (any Optimizer)? = nil,
    change: (inout Configuration) -> Void = { _ in }
  ) throws(RigLError) {
    let start = try NetworkStart(path)
    guard let layers = try start.settings() else {
      throw RigLError(
        .configuration, "\(path): is no run's, and does not say how to train",
        hint: "Set RunOptions.startFrom to it, and give Trainer a configuration.")
    }
    let saved = try layers.configuration()
    var configuration = saved.inherited
    change(&configuration)
    var options = options
    options.setStartFrom(path)
    if options.dataFolder == nil, configuration.data == saved.data {
      options.dataFolder = layers.options.dataFolder
    }
    if data == nil,
      !configuration.hasData(
        of: saved, folder: options.dataFolder, otherFolder: layers.options.dataFolder)
    {
      configuration = saved.inherited(onDataOf: configuration)
      change(&configuration)
    }
    if configuration.assigns(.epochs), configuration.totalSteps == saved.totalSteps {
      configuration.totalSteps = nil
    }
    // Who sets the sparsity does not mean a dense training, although the run's was one.
    if configuration.method.isDense, configuration.method == saved.method,
      configuration.assigns(.sparsity)
        || configuration.distribution != saved.distribution
        || configuration.layerSparsities != saved.layerSparsities
        || configuration.layerSparsityFactors != saved.layerSparsityFactors
    {
      configuration.method = Configuration().method
    }
    try self.init(
      configuration, options: options, network: network, data: data, loss: loss, method: method,
      optimizer: optimizer)
  }

  /// Puts a training together that makes a run longer, finished or not; ``run()`` goes on from its
  /// last checkpoint, in its folder.
  ///
  ///     let longer = try Trainer(extending: "runs/demo", by: 2)
  ///     let result = try longer.run()
  ///     print("accuracy", result.test?.accuracy ?? 0, "after", result.steps, "steps")
  ///
  /// Schedules are those of the longer run, from its step on: of a cosine the learning rate jumps,
  /// which callbacks are told by ``TrainingEvent/remark(_:)``. Topology updates end where they did,
  /// unless `updateEnd` says otherwise. The run's `config.yaml` says the new length from the moment
  /// at which ``run()`` begins, and ``resume(_:)`` then goes on; until then nothing is changed.
  ///
  /// - Parameters:
  ///   - path: the run's folder.
  ///   - epochs: how many more, as ``Configuration/epochs`` counts them.
  ///   - updateEnd: the last step with a topology update; nil: as it was.
  ///   - options: how it is carried out; ``RunOptions/dataFolder`` nil: the run's.
  ///   - network: the run's network, if it was one of one's own.
  ///   - data: samples of one's own; nil: the configuration's.
  ///   - loss: a loss of one's own; nil: the configuration's.
  ///   - method: a topology method of one's own; nil: the configuration's.
  ///   - optimizer: an optimizer of one's own; nil: the configuration's.
  /// - Throws: `RigLError` where there is no such run, or it cannot be made longer.
  public convenience init(
    extending path: String, by epochs: Int, updateEnd: Int? = nil,
    options: RunOptions = RunOptions(), network: (any Network)? = nil, data: TrainingData? = nil,
    loss: (any Loss)? = nil, method: (any TopologyMethod)? = nil,
    optimizer: (any Optimizer)? = nil
  ) throws(RigLError) {
    let folder = try RunFolder.open(path)
    var layers = try SettingsStack()
    try layers.apply(file: folder.configurationPath, isSaved: true)
    var configuration = try layers.configuration()
    if let updateEnd { (configuration.updateEnd, configuration.updateForever) = (updateEnd, false) }
    var options = options
    options.dataFolder = options.dataFolder ?? layers.options.dataFolder
    options.startFrom = try folder.hasCheckpoint ? nil : layers.options.startFrom
    options.topology = try folder.hasCheckpoint ? [] : layers.options.topology
    try self.init(
      configuration, options: options, network: network, data: data, loss: loss, method: method,
      optimizer: optimizer,
      extending: try RunExtension(path, by: epochs, setsUpdateEnd: updateEnd != nil))
  }
}
