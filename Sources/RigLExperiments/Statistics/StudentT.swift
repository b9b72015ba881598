import RigLCore

import Foundation

/// Student's t distribution of a whole number of degrees of freedom.
package enum StudentT {
  /// The t that a value of the distribution stays within, to both sides of 0, with a probability.
  ///
  /// - Parameters:
  ///   - probability: the probability, above 0 and below 1.
  ///   - degreesOfFreedom: ν, 1 or more.
  package static func quantile(
    twoSided probability: Double = 0.95, degreesOfFreedom: Int
  ) -> Double {
    trap(unless: degreesOfFreedom >= 1, "Student's t with \(degreesOfFreedom) degrees of freedom")
    trap(unless: probability > 0 && probability < 1, "a quantile of probability \(probability)")
    var (lower, upper) = (0.0, 1.0)
    while self.probability(within: upper, degreesOfFreedom: degreesOfFreedom) < probability {
      (lower, upper) = (upper, 2 * upper)
    }
    // Bisection until the two are neighbours, or their middle is one of them.
    while true {
      let middle = lower + (upper - lower) / 2
      guard middle > lower, middle < upper else { return upper }
      if self.probability(within: middle, degreesOfFreedom: degreesOfFreedom) < probability {
        lower = middle
      } else {
        upper = middle
      }
    }
  }

  /// P(|T| ≤ t). With θ = atan(t / √ν) it is a finite sum (Abramowitz and Stegun 26.7.3, 26.7.4):
  ///
  ///     odd ν:   2/π (θ + sin θ (cos θ + 2/3 cos³ θ + … + (2·4⋯(ν−3))/(3·5⋯(ν−2)) cos^(ν−2) θ))
  ///     even ν:  sin θ (1 + 1/2 cos² θ + … + (1·3⋯(ν−3))/(2·4⋯(ν−2)) cos^(ν−2) θ)
  package static func probability(within t: Double, degreesOfFreedom: Int) -> Double {
    let ν = Double(degreesOfFreedom)
    let (sine, cosine) = (t / (ν + t * t).squareRoot(), (ν / (ν + t * t)).squareRoot())
    let isOdd = !degreesOfFreedom.isMultiple(of: 2)
    var (term, sum) = (isOdd ? cosine : 1, 0.0)
    var power = isOdd ? 1 : 0
    while power <= degreesOfFreedom - 2, term > 0 {
      sum += term
      power += 2
      term *= cosine * cosine * Double(power - 1) / Double(power)
    }
    return isOdd ? 2 / Double.pi * (atan(t / ν.squareRoot()) + sine * sum) : sine * sum
  }
}
