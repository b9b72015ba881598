/// A kind of work in a training step, as ``StageClock`` tells them apart.
public enum StepStage: Int, CaseIterable, Sendable {
  /// Samples are read, transformed and packed.
  case batch
  /// Weights are gathered in the order of the forward list.
  case forwardWeights
  /// Bands of a convolution's input come in, with batch-norm and activation of the layer before.
  case forwardPack
  /// Products: of a convolution in scratch; of a linear layer with its epilogue.
  case forwardKernel
  /// A convolution's output goes out, with bias, shortcut and the statistics of batch-norm.
  case forwardUnpack
  /// Bands of the output's gradient and of the activations come in.
  case backwardPack
  /// The gradients of activations and weights, in one walk.
  case backwardKernel
  /// The input's gradient goes out, masked, with the sums of batch-norm's gradient.
  case backwardUnpack
  /// The weight gradient's parts are added up, and the bias's.
  case gradientJoin
  /// Scales and coefficients of batch-norm from its sums.
  case normalization
  /// Windows, means over pixels, and planes to vectors; both directions.
  case pooling
  /// A residual block's sum, or its gradient, where it is a pass of its own.
  case join
  /// Batch-norm, activation or dropout where it is a pass of its own.
  case elementwise
  /// Loss and gradient of the logits.
  case loss
  /// The dense gradient is multiplied out and the connections to grow are selected.
  case growth
  /// Connections are dropped, merged and moved, and lists are rebuilt.
  case rewiring
  /// Weights change; with the gradients' norm if they are clipped.
  case optimizer
  /// All work that is none of the others.
  case other
  /// Threads have nothing to do: others are not done yet, or one alone works.
  case waiting

  /// The number of stages; `allCases` would make an array each time.
  static let count = allCases.count

  /// The name in reports: "forward_pack".
  public var name: String {
    switch self {
    case .batch: "batch"
    case .forwardWeights: "forward_weights"
    case .forwardPack: "forward_pack"
    case .forwardKernel: "forward_kernel"
    case .forwardUnpack: "forward_unpack"
    case .backwardPack: "backward_pack"
    case .backwardKernel: "backward_kernel"
    case .backwardUnpack: "backward_unpack"
    case .gradientJoin: "gradient_join"
    case .normalization: "normalization"
    case .pooling: "pooling"
    case .join: "join"
    case .elementwise: "elementwise"
    case .loss: "loss"
    case .growth: "growth"
    case .rewiring: "rewiring"
    case .optimizer: "optimizer"
    case .other: "other"
    case .waiting: "waiting"
    }
  }
}

/// What a stage of a layer has to do at the least in a step: what its time is measured against.
///
/// Bytes are those of tensors, weights and lists, each counted once a pass, however often a kernel
/// comes back to it; scratch of a band stays in a cache and is not counted.
public struct StageWork: Hashable, Sendable {
  /// Floating-point operations, two a multiply-add.
  public var flops = 0.0
  /// Bytes that the stage before has just written or read, or that are left for the one after: a
  /// cache that is large enough may still have them.
  package var nearBytes = 0.0
  /// Bytes that were last touched a whole pass or a step ago.
  package var farBytes = 0.0
  /// Bytes that pass by until the near ones are touched again: all that the layer touches in one
  /// direction.
  package var nearSet = 0.0

  /// Work; without arguments none.
  ///
  /// - Parameters:
  ///   - flops: see ``flops``.
  ///   - near: bytes that the stage before has just written or read, or that are left for the one
  ///     after: a cache that is large enough may still have them.
  ///   - far: bytes that were last touched a whole pass or a step ago.
  public init(flops: Double = 0, near: Double = 0, far: Double = 0) {
    (self.flops, nearBytes, farBytes, nearSet) = (flops, near, far, near)
  }

  /// Bytes read and written.
  public var bytes: Double { nearBytes + farBytes }

  /// Adds another pass of the same stage.
  public mutating func add(_ other: StageWork) {
    flops += other.flops
    nearBytes += other.nearBytes
    farBytes += other.farBytes
    nearSet = max(nearSet, other.nearSet)
  }
}

/// A layer, or another part of a step, that has times of its own.
public struct StepPart: Sendable {
  /// A layer's name; "batch", "loss", "parameters" and "rest" for what belongs to none.
  public let name: String
  /// The layer's weight shape, (out, in) or (out, in, k, k); nil without weights.
  package internal(set) var shape: [Int]?
  /// Pixels of the output; 1 of a vector.
  package internal(set) var pixels = 1
  /// Connections, all weights of a dense layer.
  public internal(set) var connections: Int?
  /// The least work of each of its stages, for a full batch; none where there is nothing to say.
  public internal(set) var work: [StepStage: StageWork] = [:]
}

/// Where the time of a step went.
public struct StageTimes: Sendable {
  /// The step's seconds.
  public let total: Double
  /// Seconds, (part, stage).
  private let seconds: [Double]

  init(total: Double, seconds: [Double]) { (self.total, self.seconds) = (total, seconds) }

  /// The seconds that a part spent in a stage: of all threads, divided by the threads. Over all parts
  /// and stages, waiting included, they add up to ``total``.
  public subscript(part: Int, stage: StepStage) -> Double {
    seconds[part * StepStage.count + stage.rawValue]
  }

  /// The number of parts.
  package var parts: Int { seconds.count / StepStage.count }

  /// The seconds of a stage over all parts.
  package func sum(of stage: StepStage) -> Double {
    (0..<parts).reduce(0) { $0 + self[$1, stage] }
  }

  /// The seconds of a part in all stages.
  package func sum(of part: Int) -> Double {
    StepStage.allCases.reduce(0) { $0 + self[part, $1] }
  }

  /// The mean of some steps.
  public static func mean(of steps: [StageTimes]) -> StageTimes {
    trap(unless: !steps.isEmpty, "mean of no steps")
    let scale = 1 / Double(steps.count)
    var seconds = [Double](repeating: 0, count: steps[0].seconds.count)
    for step in steps {
      for index in seconds.indices { seconds[index] += step.seconds[index] * scale }
    }
    return StageTimes(total: steps.reduce(0) { $0 + $1.total } * scale, seconds: seconds)
  }
}
