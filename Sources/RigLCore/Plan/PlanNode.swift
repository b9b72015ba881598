/// A stage before it is made: what runs there, and what it applies for the stages around it.
struct PlanNode {
  /// The operation of a node.
  enum Operation {
    /// A layer's stage.
    case layer(any Layer)
    /// Batch-norm and activation as a pass of their own.
    case normActivation
    /// A copy, for the statistics of a batch-norm.
    case copy
    /// A residual block's beginning.
    case fork(Int)
    /// A residual block's end.
    case sum(Int)
  }

  /// A batch-norm, by its number in the plan, and an activation, that an input is read through.
  struct Reading: Equatable {
    var norm: Int?
    var activation: Activation?
    /// Whether there is nothing to apply.
    var isIdentity: Bool { norm == nil && activation == nil }
  }

  let operation: Operation
  /// The layer's number in the network.
  let number: Int
  /// The values that it reads and writes; of a sum the main branch's.
  var input = 0
  var output = 0
  /// The batch-norm and activation that the input is read through.
  var reading = Reading()
  /// Whether another reader of the same input applies the gradient of what it is read through.
  var leavesReading = false
  /// The batch-norm whose statistics are those of the output, whether the output's gradient arrives
  /// as that of its result, and whether nobody else reads the output.
  var outputNorm: Int?
  var takesNormGradient = false
  var canFold = false
  /// Activation and dropout that are applied to the output.
  var epilogue = Epilogue()
  /// The value that keeps what the activation is applied to, where its gradient needs it.
  var kept: Int?
  /// The value that is added to the output as it is written.
  var addend: Int?
  /// Whether the shortcut's gradient is added to the input's, and of which block.
  var addsGradientOf: Int?
  /// The gradients of output and input, by number; nil: nobody asks for it.
  var outputGradient: Int?
  var inputGradient: Int?

  /// The work for its neighbours that the node's layer can take on.
  var fusing: Fusing {
    switch operation {
    case .layer(let layer): layer.fusing
    case .normActivation: [.readsThrough, .keepsGradient]
    case .copy: [.sumsOutput, .makesPlanes, .keepsGradient]
    case .fork: .isInPlace
    case .sum: [.sumsOutput, .makesPlanes]
    }
  }
}

/// A residual block's branches.
struct PlanBlock {
  /// The beginning of the names of its parts: "layer1.0" of "layer1.0 sum".
  let name: String
  /// The activation after the sum.
  let activation: Activation?
  /// The block's input, and the outputs of its branches; of a shortcut without layers the input.
  let input: Int
  var main = 0
  var shortcut = 0
  /// The batch-norms that branches end with.
  var mainNorm: Int?
  var shortcutNorm: Int?
  /// Whether the main branch's last stage writes the sum.
  var isWritten = false
  /// The batch-norm and activation that both branches read the block's input through.
  var shared = PlanNode.Reading()
  /// Whether the shortcut passes by it.
  var passesBy = false
  /// Whether the main branch's first stage adds the shortcut's gradient to its own.
  var isGradientAdded = false
  /// The stages that branches begin and end with.
  var mainLast: Int?
  var shortcutFirst: Int?
  var shortcutLast: Int?
  /// Gradients, by number: of the branches' outputs where they are copies of the sum's, and of the
  /// input by the shortcut.
  var mainGradient: Int?
  var shortcutGradient: Int?
  var gradientPast: Int?
}

/// A tensor before it is made.
struct PlanValue {
  let shape: SampleShape
  let capacity: Int
  let strips: Int
}
