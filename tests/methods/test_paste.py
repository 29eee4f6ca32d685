import torch

from samssl_cli.methods.paste import box_mask, largest_pieces, paste


def test_the_box_comes_from_the_other_patch():
    mask = box_mask((1, 2, 2), (slice(0, 1), slice(0, 1), slice(0, 2)), torch.zeros(1))
    around, inside = torch.ones(2, 3, 1, 2, 2), torch.zeros(2, 3, 1, 2, 2)
    pasted = paste(around, inside, mask)
    assert mask[0].tolist() == [[0, 0], [1, 1]]
    assert (pasted[:, :, 0, 0] == 0).all()
    assert (pasted[:, :, 0, 1] == 1).all()


def test_labels_are_pasted_likewise():
    mask = box_mask((1, 1, 2), (slice(0, 1), slice(0, 1), slice(0, 1)), torch.zeros(1))
    label = paste(torch.full((1, 1, 1, 2), 2), torch.full((1, 1, 1, 2), 1), mask)
    assert label.dtype == torch.int64
    assert label.flatten().tolist() == [1, 2]


def test_the_largest_piece_of_each_class_stays():
    label = torch.tensor([[1, 1, 0, 1, 2, 0, 2, 2], [0] * 8])[:, None, None, :]
    kept = largest_pieces(label, 3)
    assert kept[0].flatten().tolist() == [1, 1, 0, 0, 0, 0, 2, 2]
    assert kept[1].sum() == 0  # nothing of nothing
    assert kept.dtype == torch.int64


def test_pieces_that_share_a_corner_are_one():
    label = torch.zeros(1, 2, 2, 2, dtype=torch.int64)
    label[0, 0, 0, 0] = label[0, 1, 1, 1] = 1
    assert largest_pieces(label, 2).sum() == 2
