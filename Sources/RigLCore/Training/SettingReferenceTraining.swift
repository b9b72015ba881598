// The settings of training, the learning rate and running.

extension SettingReference {
  static let trainingSettings: [SettingReference] = [
    SettingReference(
      .epochs, .training, .whole(0...1_000_000),
      "Passes over the training samples. Takes the place of steps that were set before it."),
    SettingReference(
      .totalSteps, .training, .whole(0...Int.max),
      "Weight steps of the training. They take the place of whole epochs; also --steps.",
      unset: "as many as the epochs have"),
    SettingReference(
      .batchSize, .training, .whole(1...1 << 20),
      "Samples in a batch. Larger batches need more memory; a larger learning rate often goes with "
        + "them."),
    SettingReference(
      .multiplier, .training, .number(1e-6...1000),
      "How many times longer the whole training is (M). Steps, milestones, warm-up, and begin and "
        + "end of updates are stretched."),
    SettingReference(
      .seed, .training, .described("a whole number from 0 to \(UInt64.max)"),
      "The seed of all random numbers. The same seed gives the same result, bit for bit."),
    SettingReference(
      .labelSmoothing, .training, .number(0...1),
      "The share of the target spread over all classes. The network is then less sure of itself; 0.1 "
        + "is usual for ImageNet."),
    SettingReference(
      .optimizer, .training,
      words(Configuration.OptimizerKind.self) {
        switch $0 {
        case .sgd: "stochastic gradient descent with momentum"
        case .adam: "Adam; weight_decay is added to gradients"
        case .adamw: "Adam; weight_decay shrinks weights directly"
        }
      },
      "What changes the weights. Unless learning_rate is set, each has its own."),
    SettingReference(
      .momentum, .training, .below(1),
      "The share of a change that goes into the next (μ). 0: none.",
      for: "optimizer sgd"),
    SettingReference(
      .nesterov, .training, .flag, "Looks ahead along the momentum.",
      for: "optimizer sgd with momentum"),
    SettingReference(
      .weightDecay, .training, .below(.infinity),
      "How strongly weights are drawn to zero (λ). It works against overfitting, and leaves biases "
        + "alone. It is added to the gradients; adamw takes it as decoupled_weight_decay."),
    SettingReference(
      .decoupledWeightDecay, .training, .below(.infinity),
      "Shrinks weights apart from gradients. At each step by this times the learning rate."),
    SettingReference(
      .beta1, .training, .below(1), "How slowly Adam's mean gradient changes (β₁).",
      for: "optimizer adam or adamw"),
    SettingReference(
      .beta2, .training, .below(1), "How slowly Adam's mean squared gradient changes (β₂).",
      for: "optimizer adam or adamw"),
    SettingReference(
      .epsilon, .training, .positive, "What Adam adds to the denominator (ε).",
      for: "optimizer adam or adamw"),
    SettingReference(
      .adamCorrection, .training,
      words(Adam.Correction.self) {
        switch $0 {
        case .connection: "each connection's own, since it was grown"
        case .global: "the training's, for all"
        }
      },
      "Which count of steps Adam's means are corrected by. Those of a grown connection begin at 0: by "
        + "the training's count, it then moves several times as fast as the learning rate says.",
      for: "optimizer adam or adamw, where connections move"),
    SettingReference(
      .trackAges, .training, .flag,
      "Keeps the ages of connections. Adam's correction by connection does so by itself; for reports, "
        + "others can. It takes 4 bytes a connection, and no part in the result.",
      for: "methods that move connections"),
    SettingReference(
      .trackGradientNorm, .training, .flag,
      "Keeps the norm of the gradient in metrics.csv. That of the first batch and of the first weight "
        + "step after each topology update are rows of their own (rigl gradient-flow), that of other steps "
        + "is in the lines on training samples. It takes no part in the result."),
    SettingReference(
      .clipNorm, .training, .positive,
      "The largest norm of all gradients together. Larger ones are scaled down, which works against "
        + "divergence.",
      unset: "no clipping"),
    SettingReference(
      .accumulation, .training, .whole(1...65536),
      "Batches whose mean gradient makes one weight step. As a batch so many times as large, with "
        + "the memory of one."),
  ]

  static let learningRateSettings: [SettingReference] = [
    SettingReference(
      .learningRate, .learningRate, .positive,
      "The peak learning rate, which warm-up ends at. Too large a one diverges: divide it by 3 or "
        + "10.",
      unset: Configuration.OptimizerKind.allCases.map {
        "\($0.defaultLearningRate) for \($0.rawValue)"
      }.joined(separator: ", ")),
    SettingReference(
      .schedule, .learningRate,
      words(Configuration.ScheduleKind.self) {
        switch $0 {
        case .constant: "it does not"
        case .step: "by a factor at milestones"
        case .cosine: "along half a cosine, to min_learning_rate at the end"
        case .linear: "in equal steps, to min_learning_rate at the end"
        case .warmRestarts: "along half a cosine, again and again"
        }
      },
      "How the learning rate shrinks."),
    SettingReference(
      .milestones, .learningRate,
      .described("a rising list of numbers from 0 to 1000000, as [30, 60, 90]"),
      "Epochs at which the rate is multiplied by factor.", for: "schedule step"),
    SettingReference(
      .factor, .learningRate, .positive, "What the rate is multiplied by at each milestone.",
      for: "schedule step"),
    SettingReference(
      .minLearningRate, .learningRate, .described("a number from 0 to learning_rate"),
      "The lowest rate.", for: "schedule cosine, linear or warm_restarts"),
    SettingReference(
      .firstCycle, .learningRate, .number(0...1_000_000),
      "Epochs of the first cycle, a weight step or more.", for: "schedule warm_restarts"),
    SettingReference(
      .cycleMultiplier, .learningRate, .whole(1...1000),
      "How many times as long each cycle is as the one before.", for: "schedule warm_restarts"),
    SettingReference(
      .warmupEpochs, .learningRate, .number(0...1_000_000),
      "Epochs in which the rate rises from 0. They help large batches and large rates; the schedule "
        + "counts from the beginning all the same."),
  ]

  static let runningSettings: [SettingReference] = [
    SettingReference(
      option: "data_folder", .described("a path"), default: RunOptions().dataFolder,
      "The folder of the data's files. Also --data-folder, or --data PATH.",
      unset: "where the data's package puts them"),
    SettingReference(
      option: "start_from",
      .described("a run's folder, one of its checkpoints, or a safetensors file"),
      default: RunOptions().startFrom,
      "A trained network that training starts from. Sparse or dense: connections, weights and "
        + "running averages are taken, where they are more than the settings ask for the largest; "
        + "optimizer and schedules begin anew. Also --start-from.",
      unset: "weights and connections are drawn"),
    SettingReference(
      option: "topology",
      .described("a file, a list of FILE or LAYER=FILE, or a mapping of layers to files"),
      default: nil,
      "Files that give the connections to start with. Checkpoints and exports (safetensors), Matrix "
        + "Market (.mtx, from 1), CSV (.csv, from 0, with the header row,column or "
        + "row,column,value); a row is an output, a column an input. Values are the weights; of an "
        + "export with zeros (--dense), a connection whose weight is exactly 0, as one that has just "
        + "grown, is none. Numbers of connections are the files', unless a sparsity is asked for; layers "
        + "of no file have what the settings say. Also --topology.",
      unset: "connections are drawn"),
    SettingReference(
      option: "threads", .whole(1...1024), default: nil,
      "The most threads that share the work. Small layers, and all while another process has a core, "
        + "run on one, as measured in the run. Results do not depend on it. Also --threads.",
      unset: "the processors that this process may use"),
    SettingReference(
      option: "checkpoint_every", .whole(1...Int.max),
      default: nil,
      "Weight steps from one checkpoint to the next. Also --checkpoint-every.",
      unset: "one at the end of each epoch"),
    SettingReference(
      option: "keep", .whole(1...Int.max), default: "\(RunCadence().keep)",
      "Checkpoints that are kept, the newest. Also --keep."),
    SettingReference(
      option: "log_every", .whole(1...Int.max), default: "\(RunCadence().logEvery)",
      "Weight steps from one line of metrics.csv to the next."),
    SettingReference(
      option: "tensorboard", .flag, default: "false",
      "Keeps an event file for TensorBoard in the run's folder. It has each line of metrics.csv as "
        + "scalars, and histograms of weights and of connections' ages at each checkpoint; only rigl "
        + "writes it. rigl tensorboard makes one afterwards. Also --tensorboard."),
    SettingReference(
      option: "growth_buffer", .whole(1...1 << 20), default: nil,
      "Megabytes for sums of growth_batches' gradients. Results do not depend on it: with less, updates "
        + "take more passes over their batches.",
      unset: "as many as the activations of a batch take"),
  ]
}
