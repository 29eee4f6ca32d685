import torch

from samssl_cli.methods.cutmix import pasted, random_boxes


def test_a_box_takes_what_the_other_patch_has_there():
    patches = torch.arange(12).view(3, 1, 1, 1, 4)  # (B, C, I, J, K)
    boxes = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    boxes = boxes.view(3, 1, 1, 4)
    order = torch.tensor([2, 0, 1])
    expected = [[0, 9, 10, 3], [4, 5, 6, 7], [4, 5, 6, 7]]
    assert pasted(patches, boxes, order).view(3, 4).tolist() == expected
    assert pasted(patches[:, 0], boxes, order).view(3, 4).tolist() == expected


def test_boxes_are_boxes_of_one_size_cut_off_at_the_border():
    torch.manual_seed(0)
    boxes = random_boxes(40, (16, 8, 12))
    assert boxes.shape == (40, 16, 8, 12)
    for box in boxes:
        sides = [box.any(dim=axes).sum() for axes in ((1, 2), (0, 2), (0, 1))]
        assert box.sum() == sides[0] * sides[1] * sides[2]
    widest = max(int(box.any(dim=(1, 2)).sum()) for box in boxes)
    assert 8 <= widest <= 14  # 16 times the square root of about one half


def test_no_patch_gives_no_box():
    assert random_boxes(0, (4, 4, 4)).shape == (0, 4, 4, 4)
    assert pasted(torch.zeros(0, 1, 4, 4, 4), random_boxes(0, (4, 4, 4)), torch.randperm(0)).shape \
        == (0, 1, 4, 4, 4)  # fmt: skip
