import Yams

/// Everything that determines a run's result: one value, saved with the run, which reproduces it.
///
/// What may differ between two runs with the same result (threads, folders, how often something is
/// written) is ``RunOptions``. Files and `--set` have the same names in snake case: `batch_size`.
public struct Configuration: Codable, Hashable, Sendable {
  // MARK: Data

  /// Where samples come from: `fashion-mnist`, `mnist`, `idx` (any folder of IDX files),
  /// `cifar-10`, `cifar-100`, `photos` (a folder of JPEG and PNG files by class), `synthetic` or
  /// `synthetic-color`.
  public var data = "fashion-mnist"
  /// Take only so many samples of the training set; nil: all.
  public var trainSamples: Int?
  /// Take only so many samples of the test set; nil: all.
  public var testSamples: Int?
  /// Training samples held out for validation, of photos about as many; 0: none; nil: a tenth, at
  /// most 5000, and none where a class has a single sample.
  public var validation: Int?
  /// The rule by which validation, training and test samples are chosen.
  public var split = Split.random
  /// Let the test samples be the validation split. The result on them is then not a result on
  /// unseen data.
  public var validateOnTest = false
  /// The augmentation of training samples, which validation and test samples do not go through.
  public var augmentation = Augmentation.none
  /// Pixels on each side that the crops of `pad_crop_flip` may take in (p).
  public var cropPadding = 4
  /// The pixels that padding consists of: black, or the image mirrored.
  public var cropPaddingMode = CropPaddingMode.constant
  /// The side of the square that small images are put in the middle of, on black; nil: none.
  public var padTo: Int?
  /// The side of photos as the network sees them (224), or of `synthetic-color` images (32).
  public var imageSize: Int?
  /// By which numbers pixels become values.
  public var normalization = Normalization.standard
  /// Whether each image is brought to mean 0 and deviation 1 by its own pixels, not by numbers of
  /// the data: (x - mean) / max(deviation, 1 / √n).
  public var perImageStandardization = false

  // MARK: Network

  /// The kind of network: `mlp`, linear layers with activations between; `lenet-5`, `wrn-D-K`,
  /// `resnet-18`, `-34`, `-50`, `-101`, `mobilenet-v1`, `vgg-16`.
  public var network = "mlp"
  /// Widths of the hidden layers of `mlp`.
  public var hidden = [300, 100]
  /// How many times wider the network is than its name says, or `hidden`.
  public var widthMultiplier = 1.0
  /// What the width of a small-dense or big-sparse network is matched by.
  package var match = Match.flops
  /// Whether a sparse network is as wide as it can be without costing more than the dense one of
  /// ``widthMultiplier``.
  package var bigSparse = false
  /// The width multiplier that small-dense or `bigSparse` has come to, which a training computes and
  /// its run saves; nil: there is none.
  package var matchedWidth: Double?
  /// The function after hidden layers.
  public var activation = ActivationKind.relu
  /// Probability of dropping a hidden activation.
  public var dropout: Float = 0
  /// How weights start.
  public var initializer = Initializer.Distribution.glorotUniform
  /// Whether the initializer counts a neuron's actual connections.
  public var initializerCountsConnections = false
  /// The standard deviation that linear layers' weights start with, whatever the initializer; nil:
  /// the initializer's.
  public var linearDeviation: Float?

  // MARK: Sparsity

  /// Which connections move.
  public var method = Method.rigl
  /// The share of positions without a connection (S), over the layers that take part.
  public var sparsity = 0.9 { didSet { assigned.value.insert(.sparsity) } }
  /// How sparsity is shared among layers.
  public var distribution = SparsityDistribution.Kind.erdosRenyiKernel
  /// Sparsity of single layers by name (`fc1`, …); they leave the budget.
  public var layerSparsities: [String: Double] = [:]
  /// Sparsity of single layers by name as factors of ``sparsity`` (1, .9, 0, …); they leave the
  /// budget. A layer that is in ``layerSparsities`` too has that one.
  public var layerSparsityFactors: [String: Double] = [:]
  /// Whether `uniform` makes the first layer sparse too.
  public var firstLayerSparse = false
  /// Whether the last layer stays dense.
  public var lastLayerDense = false
  /// Whether snip, pruning and granet rank each layer's connections, or those of all in one pool; nil:
  /// global for granet, layer for the others.
  public var topologyScope: TopologyScope?
  /// Connections that each layer keeps where they are ranked in one pool.
  public var layerMinimum = 0
  /// The sparsity that pruning and granet begin with (s_i); 0: with every position.
  public var initialSparsity = 0.0
  /// The step at which pruning begins (t0); nil: a fifth of the training, of granet its beginning.
  public var pruneBegin: Int?
  /// The step from which on the sparsity is the final one (t1); nil: three quarters of the training, of
  /// granet half of it.
  public var pruneEnd: Int?
  /// Rounds in which lottery trains, prunes and rewinds before the ticket's own training (r).
  public var lotteryRounds = 5
  /// The step to which lottery rewinds (k); 0: the initialisation.
  public var rewindStep = 0
  /// What lottery's ticket starts its own training with.
  package var ticketControl = TicketControl.rewound
  /// What moves the connections of lottery's ticket.
  package var ticketMethod = TicketMethod.static
  /// The density below which a layer whose connections change in number is stored sparsely.
  public var storageBelow = 0.75

  // MARK: Topology updates

  /// Weight steps between updates (ΔT).
  public var updateInterval = 100
  /// The first step with an update.
  public var updateBegin = 0
  /// The last step with an update (T_end); nil: three quarters of training.
  public var updateEnd: Int?
  /// Whether updates never end; not with cosine annealing.
  public var updateForever = false
  /// The fraction of connections that the first update moves (α); nil: the method's, .5 of granet and
  /// .3 of the others.
  public var dropFraction: Double?
  /// How the fraction shrinks.
  public var annealing = UpdateSchedule.Annealing.cosine
  /// The power of `inverse_power` annealing.
  public var annealingPower = 3.0
  /// The weight that a grown connection starts with.
  public var newWeights = NewWeights.zero
  /// The divisor (d) of that weight.
  public var newWeightDivisor = 1.0
  /// Batches whose mean gradient growth looks at, of methods that grow by the dense gradient; 0: those of
  /// an accumulated weight step.
  public var growthBatches = 1
  /// Whether an update that would replace a weight step is followed by one on the same batch.
  public var updateThenStep = false
  /// The share of SNFS's running mean of gradients that stays at each step (μ).
  public var momentDecay: Float = 0.9
  /// Candidates for growth that GSE draws for each connection of a layer (γ).
  public var candidates = 1.0
  /// Whether SNFS hands connections over between layers.
  public var redistribution = false

  // MARK: Training

  /// Passes over the training samples, counted in weight steps.
  public var epochs = 20 { didSet { assigned.value.insert(.epochs) } }
  /// Weight steps of the training, in the place of whole epochs; nil: as many as the epochs have.
  /// Whichever of both a file or a command sets last counts.
  public var totalSteps: Int?
  /// Samples in a batch (B).
  public var batchSize = 128
  /// Training multiplier (M): scales steps, milestones, and the topology schedule's begin and end.
  public var multiplier = 1.0
  /// The seed of all random numbers.
  public var seed: UInt64 = 0
  /// The share of the target spread over all classes.
  public var labelSmoothing: Float = 0
  /// The optimizer.
  public var optimizer = OptimizerKind.sgd {
    didSet { if !hasOwnRate.value { followOptimizer() } }
  }
  /// The peak learning rate; until it is set, and in a preset, it is changed with ``optimizer``: 0.1
  /// for SGD, 0.001 for Adam.
  public var learningRate = OptimizerKind.sgd.defaultLearningRate {
    didSet { hasOwnRate.value = true }
  }
  private var hasOwnRate = Unremarkable(value: false)
  private var assigned = Unremarkable(value: Set<Key>())
  private var borrowed = Unremarkable(value: [String: String]())
  private var namedRules = Unremarkable(value: CustomRules())
  /// Momentum of SGD (μ).
  public var momentum: Float = 0.9
  /// Whether SGD looks ahead along the velocity.
  public var nesterov = true
  /// L2 weight decay on weights (λ), added to the gradient.
  public var weightDecay: Float = 1e-4
  /// Decoupled weight decay on weights.
  public var decoupledWeightDecay: Float = 0
  /// Adam's β₁.
  public var beta1 = 0.9
  /// Adam's β₂.
  public var beta2 = 0.999
  /// Adam's ε.
  public var epsilon: Float = 1e-8
  /// Which count of weight steps Adam's moments are corrected by.
  public var adamCorrection = Adam.Correction.connection
  /// Whether the ages of connections are kept for an optimizer, too, that does not ask for them.
  public var trackAges = false
  /// Whether metrics have the norm of the gradient, without clipping too, at the start of the training
  /// and after each update.
  package var trackGradientNorm = false
  /// The largest norm of all gradients together; nil: no clipping.
  public var clipNorm: Double?
  /// Batches of one weight step, whose gradient is the mean over all their samples. Batch-norm's
  /// averages and RigL's scores are of one batch.
  public var accumulation = 1

  // MARK: Learning rate

  /// How the learning rate changes.
  public var schedule = ScheduleKind.cosine
  /// Epochs at which `step` multiplies the rate by the factor.
  public var milestones: [Double] = []
  /// The factor of `step`.
  public var factor = 0.1
  /// The lowest rate of the cosines and of the linear decay.
  public var minLearningRate = 0.0
  /// Epochs of the first cycle of `warm_restarts`.
  public var firstCycle = 10.0
  /// By how much each cycle is longer than the one before.
  public var cycleMultiplier = 2
  /// Epochs of linear warm-up before the schedule.
  public var warmupEpochs = 0.0

  /// The defaults.
  public init() {}

  /// Says which settings are a preset's or another run's, as written: not of who trains now.
  mutating func borrow(_ settings: [String: String]) { borrowed.value = settings }

  /// The settings of who trains: neither defaults nor a preset's or another run's.
  var chosen: Set<Key> {
    guard let own = try? mapping() else { return [] }  // ``validate()`` says why.
    let usual = Configuration().written()
    return Set(
      Key.allCases.filter { key in
        let value = own[Node(key.rawValue)]?.written
        return value != usual[key.rawValue] && value != borrowed.value[key.rawValue]
      })
  }

  /// Whether a program has set ``sparsity`` or ``epochs``, were it to what they were.
  func assigns(_ key: Key) -> Bool { assigned.value.contains(key) }

  /// Says that a file or a command has set a key.
  mutating func assign(_ key: Key) { assigned.value.insert(key) }

  /// Takes the optimizer's own learning rate, and from now on with each optimizer that is set.
  mutating func followOptimizer() {
    learningRate = optimizer.defaultLearningRate
    hasOwnRate.value = false
  }

  /// Lets the learning rate be one for this optimizer alone.
  mutating func bindRateToOptimizer() { hasOwnRate.value = false }

  /// The keys, as files and `--set` spell them, in the order in which files are written.
  package enum Key: String, CodingKey, CaseIterable, Sendable {
    case data
    case trainSamples = "train_samples"
    case testSamples = "test_samples"
    case validation
    case split
    case validateOnTest = "validate_on_test"
    case augmentation
    case cropPadding = "crop_padding"
    case cropPaddingMode = "crop_padding_mode"
    case padTo = "pad_to"
    case imageSize = "image_size"
    case normalization
    case perImageStandardization = "per_image_standardization"
    case network
    case hidden
    case widthMultiplier = "width_multiplier"
    case match
    case matchedWidth = "matched_width"
    case activation, dropout
    case initializer
    case initializerCountsConnections = "initializer_counts_connections"
    case linearDeviation = "linear_deviation"
    case method
    case sparsity
    case distribution
    case layerSparsities = "layer_sparsities"
    case layerSparsityFactors = "layer_sparsity_factors"
    case firstLayerSparse = "first_layer_sparse"
    case lastLayerDense = "last_layer_dense"
    case topologyScope = "topology_scope"
    case layerMinimum = "layer_minimum"
    case initialSparsity = "initial_sparsity"
    case pruneBegin = "prune_begin"
    case pruneEnd = "prune_end"
    case lotteryRounds = "lottery_rounds"
    case rewindStep = "rewind_step"
    case ticketControl = "ticket_control"
    case ticketMethod = "ticket_method"
    case storageBelow = "storage_below"
    case updateInterval = "update_interval"
    case updateBegin = "update_begin"
    case updateEnd = "update_end"
    case updateForever = "update_forever"
    case dropFraction = "drop_fraction"
    case annealing
    case annealingPower = "annealing_power"
    case newWeights = "new_weights"
    case newWeightDivisor = "new_weight_divisor"
    case updateThenStep = "update_then_step"
    case momentDecay = "moment_decay"
    case growthBatches = "growth_batches"
    case candidates, redistribution
    case epochs
    case totalSteps = "steps"
    case batchSize = "batch_size"
    // After it: the initials bs mean batch_size.
    case bigSparse = "big_sparse"
    case multiplier
    case seed
    case labelSmoothing = "label_smoothing"
    case optimizer
    case learningRate = "learning_rate"
    case momentum
    case nesterov
    case weightDecay = "weight_decay"
    case decoupledWeightDecay = "decoupled_weight_decay"
    case beta1
    case beta2
    case epsilon
    case adamCorrection = "adam_correction"
    case trackAges = "track_ages"
    case trackGradientNorm = "track_gradient_norm"
    case clipNorm = "clip_norm"
    case accumulation
    case schedule
    case milestones
    case factor
    case minLearningRate = "min_learning_rate"
    case firstCycle = "first_cycle"
    case cycleMultiplier = "cycle_multiplier"
    case warmupEpochs = "warmup_epochs"
  }

  private typealias CodingKeys = Key

  /// The names of a run's loss, topology method and optimizer that were given in Swift. They are no
  /// settings: two configurations are equal without them.
  package internal(set) var customRules: CustomRules {
    get { namedRules.value }
    set { namedRules.value = newValue }
  }
}

/// What a value remembers of how it came about, which makes no difference between two values.
private struct Unremarkable<Value: Sendable>: Hashable, Sendable {
  var value: Value
  static func == (a: Self, b: Self) -> Bool { true }
  func hash(into hasher: inout Hasher) {}
}
