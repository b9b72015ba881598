/// The cost of a training method, in forward passes of the sparse and of the dense network.
///
/// A backward pass counts as two forward passes. With f_S and f_D the FLOPs of a sample's forward
/// pass through the sparse and the dense network, a sample costs, on average over the training:
///
/// | method | FLOPs |
/// |---|---|
/// | dense | 3 f_D |
/// | static, SNIP, SET, GSE | 3 f_S |
/// | SNFS | 2 f_S + f_D |
/// | RigL | (3 f_S ΔT + n (2 f_S + f_D)) / (ΔT + n), an update of n weight steps' batches |
/// | pruning | the mean over t of 3 f(s_t) |
/// | GraNet | as RigL with the mean over t of f(s_t) |
///
/// Reference: Evci et al., *Rigging the Lottery: Making All Tickets Winners*, ICML 2020,
/// appendix H. <https://arxiv.org/abs/1911.11134>
package enum TrainingMethodCost: Hashable, Sendable {
  /// Every position active.
  case dense
  /// A random topology that stays.
  case `static`
  /// A topology chosen by |g·w| before the first step.
  case snip
  /// Drops by magnitude, grows at random.
  case set
  /// Grows by a dense momentum that every step updates.
  case snfs
  /// Grows by the gradient at candidates that are no more than connections.
  case gse
  /// Grows by the dense gradient of so many weight steps' batches (n), once every `interval` steps (ΔT).
  case rigl(interval: Int, batches: Double = 1)
  /// From dense to sparse between two steps; see ``Pruning``.
  case pruning(Pruning)
  /// As pruning, and grows as RigL.
  case granet(Pruning, interval: Int, batches: Double = 1)

  /// When gradual pruning begins and ends, and the length of the training, in weight updates.
  ///
  /// A layer's sparsity is s_t = s_f r(t), with r(t) = 1 − (1 − clip((t − t0)/(t1 − t0), 0, 1))³.
  ///
  /// Reference: Zhu & Gupta, *To prune, or not to prune*, 2017. <https://arxiv.org/abs/1710.01878>
  package struct Pruning: Hashable, Sendable {
    /// The step at which pruning begins; until then every position is active (t0).
    package var begin: Int
    /// The step from which on the sparsity is the final one (t1).
    package var end: Int
    /// Weight updates of the training.
    package var steps: Int

    /// Creates the times of a pruning; by default from 20 % to 75 % of the training.
    package init(steps: Int, begin: Int? = nil, end: Int? = nil) {
      self.steps = steps
      self.begin = begin ?? steps / 5
      self.end = end ?? UpdateSchedule.defaultEnd(steps: steps)
      trap(
        unless: steps > 0 && self.begin >= 0 && self.begin <= self.end,
        "Pruning: from step \(self.begin) to \(self.end) of \(steps)")
    }

    /// The share of the final sparsity that is reached at a step (r); where begin and end are the
    /// same step, all of it at once.
    package func progress(at step: Int) -> Double {
      if step >= end { return 1 }
      if step <= begin { return 0 }
      let remaining = 1 - Double(step - begin) / Double(end - begin)
      return 1 - remaining * remaining * remaining
    }

    /// The share of the final sparsity that is reached, as a mean over all steps (mean of r).
    package var meanProgress: Double {
      // On the way it is 1 − (j / n)³ for j = n − 1, n − 2, …; cubes add up in closed form.
      let (way, onTheWay) = (Double(end - begin), max(0, min(end, steps) - begin - 1))
      func cubes(to last: Int) -> Double {
        let sum = Double(last) / 2 * Double(last + 1)
        return sum * sum
      }
      let first = end - begin - onTheWay
      let missing =
        onTheWay == 0 ? 0 : (cubes(to: end - begin - 1) - cubes(to: first - 1)) / (way * way * way)
      return (Double(onTheWay) - missing + Double(max(0, steps - end))) / Double(steps)
    }
  }

  /// Training FLOPs of a sample.
  ///
  /// For pruning, f(s_t) = f_I − r(t) (f_I − f_S): FLOPs are linear in the layers' sparsities, and
  /// these in r. (Rounding to whole connections would move it by less than one in each layer.)
  ///
  /// - Parameters:
  ///   - sparse: FLOPs of a sample's forward pass through the sparse network (f_S).
  ///   - dense: FLOPs of a sample's forward pass through the dense network (f_D).
  ///   - initial: FLOPs of a sample's forward pass through the network that pruning begins with (f_I);
  ///     nil: the dense one.
  package func flops(sparse: Double, dense: Double, initial: Double? = nil) -> Double {
    func mean(_ pruning: Pruning) -> Double {
      let initial = initial ?? dense
      return initial - pruning.meanProgress * (initial - sparse)
    }
    switch self {
    case .dense: return 3 * dense
    case .static, .snip, .set, .gse: return 3 * sparse
    case .snfs: return 2 * sparse + dense
    case .rigl(let interval, let batches):
      trap(
        unless: interval > 0 && batches > 0,
        "rigl: an interval of \(interval) steps, updates of \(batches) batches")
      let steps = Double(interval)
      return (3 * sparse * steps + batches * (2 * sparse + dense)) / (steps + batches)
    case .pruning(let pruning): return 3 * mean(pruning)
    case .granet(let pruning, let interval, let batches):
      return Self.rigl(interval: interval, batches: batches).flops(
        sparse: mean(pruning), dense: dense)
    }
  }

  /// Training FLOPs relative to the dense network's training of normal length.
  ///
  /// - Parameters:
  ///   - sparse: FLOPs of a sample's forward pass through the sparse network (f_S).
  ///   - dense: FLOPs of a sample's forward pass through the dense network (f_D).
  ///   - initial: FLOPs of a sample's forward pass through the network that pruning begins with (f_I);
  ///     nil: the dense one.
  ///   - trainingMultiplier: how many times longer this training is (M).
  package func multiplier(
    sparse: Double, dense: Double, initial: Double? = nil, trainingMultiplier: Double = 1
  ) -> Double {
    trap(unless: dense > 0, "multiplier: the dense network has \(dense) FLOPs")
    return trainingMultiplier * flops(sparse: sparse, dense: dense, initial: initial) / (3 * dense)
  }
}
