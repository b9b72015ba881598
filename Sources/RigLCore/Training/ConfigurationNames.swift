// What settings name: each word that a file or `--set` may have, with what it stands for.

extension Configuration {
  /// Which samples `validation`, `train_samples` and `test_samples` take, by name.
  public enum Split: String, Codable, CaseIterable, Sendable {
    /// Drawn from all of the set by a fixed rule: a hash of each sample's index, or of a photo's
    /// path. The seed has no part in it.
    case random
    /// The first ones; for validation the last ones. Not for photos.
    case sequential
  }

  /// The augmentation of training samples, by name.
  public enum Augmentation: String, Codable, CaseIterable, Sendable {
    /// Nothing: they are as evaluation sees them.
    case none
    /// Small images: a random crop of the image and what is put around it, half of them mirrored.
    case padCropFlip = "pad_crop_flip"
    /// Photos: a random part of the picture, resized, half of them mirrored.
    case randomResizedCrop = "random_resized_crop"
  }

  /// The function after hidden layers, by name.
  public enum ActivationKind: String, Codable, CaseIterable, Sendable {
    /// ``ReLU``.
    case relu
    /// ``LeakyReLU``, of slope 0.01.
    case leakyReLU = "leaky-relu"
    /// ``GELU``.
    case gelu
    /// ``SiLU``.
    case silu
    /// ``Tanh``.
    case tanh
    /// ``Sigmoid``.
    case sigmoid

    /// The function.
    package var activation: Activation {
      switch self {
      case .relu: .relu
      case .leakyReLU: .leakyReLU(slope: 0.01)
      case .gelu: .gelu
      case .silu: .silu
      case .tanh: .tanh
      case .sigmoid: .sigmoid
      }
    }
  }

  /// Which connections move, by name.
  public enum Method: String, Codable, CaseIterable, Sendable {
    /// ``RigL``.
    case rigl
    /// RigL's ablation: connections are grown where the gradient is smallest.
    case riglInverted = "rigl-inverted"
    /// Connections of least magnitude are dropped, and others are grown at random.
    case set
    /// Sparse networks from scratch: connections are grown by a running mean of the gradient.
    case snfs
    /// The largest |weight · gradient| of a dense network, before the first step.
    case snip
    /// Gradual magnitude pruning.
    case pruning
    /// Gradual pruning with neuroregeneration: pruning, and RigL's exchange.
    case granet
    /// Guided stochastic exploration: RigL among candidates.
    case gse
    /// Training, magnitude pruning and rewinding, in rounds, and the ticket's own training.
    case lottery
    /// None: connections stay where they were drawn.
    case `static`
    /// Every position is connected.
    case dense
    /// Every position of a network that is as much narrower as the sparse one is cheaper.
    case smallDense = "small-dense"
  }

  /// What a network's width is matched by, by name.
  package enum Match: String, Codable, CaseIterable, Sendable {
    /// FLOPs of a forward pass on one sample.
    case flops
    /// Connections and biases.
    case parameters
  }

  /// What a lottery ticket starts its own training with, by name.
  package enum TicketControl: String, Codable, CaseIterable, Sendable {
    /// What its connections were at the rewinding step: no control, but the ticket itself.
    case rewound
    /// Weights drawn anew, at the connections that pruning has left.
    case fresh
    /// As many connections in each layer at positions drawn anew, with what was there at the rewinding
    /// step.
    case shuffled
  }

  /// What moves a lottery ticket's connections in its own training, by name.
  package enum TicketMethod: String, Codable, CaseIterable, Sendable {
    /// Nothing: they stay.
    case `static`
    /// ``RigL``.
    case rigl
  }

  /// The weight that a grown connection starts with, by name.
  public enum NewWeights: String, Codable, CaseIterable, Sendable {
    /// Zero.
    case zero
    /// Drawn anew from the initializer.
    case fresh
    /// N(0, standard deviation of the layer's weights).
    case normal
    /// U(± mean magnitude of the layer's weights).
    case uniform
    /// The gradient at the new position, where updates have one.
    case gradient
    /// Its sign.
    case gradientSign = "gradient_sign"
  }

  /// The optimizer, by name.
  public enum OptimizerKind: String, Codable, CaseIterable, Sendable {
    /// ``SGD``.
    case sgd
    /// ``Adam``; decay is L2.
    case adam
    /// ``Adam`` with decoupled decay.
    case adamw

    /// The peak learning rate where none is set.
    package var defaultLearningRate: Double {
      switch self {
      case .sgd: 0.1
      case .adam, .adamw: 1e-3
      }
    }
  }

  /// How the learning rate changes, by name.
  public enum ScheduleKind: String, Codable, CaseIterable, Sendable {
    /// The learning rate stays at its peak.
    case constant
    /// By a factor at milestones.
    case step
    /// To the lowest rate along half a cosine.
    case cosine
    /// To the lowest rate in equal steps.
    case linear
    /// Cosine cycles.
    case warmRestarts = "warm_restarts"
  }
}
