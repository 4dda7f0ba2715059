from __future__ import annotations

import pytest
import torch

from scpareto.model.michigan import (
    CodedCells,
    MichiGANModule,
    WassersteinRecipe,
    WassersteinTrainer,
    train_wasserstein,
)
from scpareto.model.michigan._coded_cells import relative_variance
from scpareto.train import TrainingDiverged


def cells(n=256, n_genes=6, n_latent=2):
    torch.manual_seed(0)
    mean = torch.randn(n, n_latent)
    x = mean @ torch.randn(n_latent, n_genes) + 0.3 * torch.randn(n, n_genes)
    return CodedCells(x, mean, torch.full_like(mean, 0.1))


def module(**options):
    torch.manual_seed(1)
    return MichiGANModule(
        6, n_latent=2, n_noise=4, n_hidden_generator=[32], n_hidden_critic=[32], dropout_rate=0.0, **options
    )


def test_a_critic_step_changes_the_critic_only_and_a_generator_step_the_generator_only():
    net, data = module(critic_norm="none"), cells()
    trainer = WassersteinTrainer(net, data, WassersteinRecipe())
    before = {name: value.clone() for name, value in net.named_parameters()}
    trainer.critic_step()
    after = dict(net.named_parameters())
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"critic"}
    before = {name: value.clone() for name, value in net.named_parameters()}
    trainer.generator_step()
    changed = {
        name.split(".")[0] for name in before if not torch.equal(before[name], dict(net.named_parameters())[name])
    }
    assert changed == {"generator"}
    assert all(p.requires_grad for p in net.critic.parameters())


def test_an_epoch_visits_every_cell_at_most_once_before_the_next_round():
    data = cells(100)
    trainer = WassersteinTrainer(module(), data, WassersteinRecipe(batch_size=25))
    seen = torch.cat([trainer._minibatch()[0] for _ in range(4)])
    assert len(torch.unique(seen, dim=0)) == 100


def test_posterior_samples_have_the_given_spread():
    data = cells(4000)
    trainer = WassersteinTrainer(module(), data, WassersteinRecipe(codes="sample", batch_size=4000))
    rows = torch.arange(4000)
    away = trainer._codes(rows) - data.mean
    assert float(away.std()) == pytest.approx(0.1, rel=0.05)
    assert torch.equal(WassersteinTrainer(module(), data, WassersteinRecipe())._codes(rows), data.mean)


def test_an_unconditional_generator_is_given_random_codes():
    trainer = WassersteinTrainer(module(conditioning="none"), cells(), WassersteinRecipe(batch_size=100))
    _, codes, _, own = trainer._minibatch()
    assert not torch.equal(codes, own)


def test_it_learns_the_mean_of_cells_given_their_codes():
    net, data = module(critic_norm="none", wide_features=True), cells(1000)
    recipe = WassersteinRecipe(batch_size=100, n_critic=2, lr=2e-3, penalty=1.0, beta1=0.0, beta2=0.9)
    torch.manual_seed(2)
    history = train_wasserstein(net, data, recipe, 25)
    assert len(history) == 25
    with torch.no_grad():
        made = net.generate(data.mean)
    correlation = torch.corrcoef(torch.stack([made.flatten(), data.x.flatten()]))[0, 1]
    assert float(correlation) > 0.8
    assert 0.5 < relative_variance(net, data) < 2.0


def test_a_constant_generator_has_no_variance():
    net = module()
    torch.nn.init.zeros_(net.generator.head.weight)
    assert relative_variance(net, cells()) == 0.0


def test_averaged_weights_by_hand():
    net, data = module(), cells()
    trainer = WassersteinTrainer(net, data, WassersteinRecipe(average=0.9, lr=0.1))
    first = net.generator.head.weight.detach().clone()
    trainer.generator_step()
    second = net.generator.head.weight.detach().clone()
    trainer.generator_step()
    third = net.generator.head.weight.detach().clone()
    expected = 0.9 * (0.9 * first + 0.1 * second) + 0.1 * third
    with trainer.use_averaged_weights():
        torch.testing.assert_close(net.generator.head.weight, expected)
    assert torch.equal(net.generator.head.weight, third)
    trainer.finish()
    torch.testing.assert_close(net.generator.head.weight, expected)


def test_diverged_losses_end_the_training():
    data = cells()
    broken = CodedCells(torch.where(torch.arange(256)[:, None] == 3, torch.inf, data.x), data.mean)
    with pytest.raises(TrainingDiverged, match="epoch 0"):
        train_wasserstein(module(critic_norm="none"), broken, WassersteinRecipe(), 2)


def test_information_terms_lower_the_loss_of_the_critic_by_their_value():
    net, data = module(conditioning="none", infer_codes=True), cells()
    trainer = WassersteinTrainer(net, data, WassersteinRecipe(information_weight=2.0, supervision_weight=3.0))
    fake, codes = torch.randn(8, 6), torch.randn(8, 2)
    net.eval()
    value = trainer._information(fake, codes, data.x[:8], data.mean[:8])
    expected = 2 * net.critic.information(fake, codes) + 3 * net.critic.information(data.x[:8], data.mean[:8])
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1}, "batch_size=1"),
        ({"n_critic": 0}, "n_critic=0"),
        ({"codes": "both"}, "codes='both' is unknown; choose mean or sample"),
        ({"epsilon": "gene"}, "epsilon='gene'"),
        ({"lr": 0.0}, "lr must be positive"),
        ({"average": 1.0}, "average=1.0"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        WassersteinRecipe(**options)
